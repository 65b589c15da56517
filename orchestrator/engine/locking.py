"""Locking a stack to what was reviewed, and holding it to that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.build import examine
from orchestrator.deployment import lockfile
from orchestrator.errors import RefusedError
from orchestrator.resolve import build_request, locking

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.build import BuildRequest, BuildResult
    from orchestrator.deployment.homes import StackHome
    from orchestrator.deployment.lockfile import Difference, Lock
    from orchestrator.stack.model import Stack

_SHOWN = 5


def lock(
    stack: Stack, home: StackHome, *, environ: Mapping[str, str], build: Callable[[BuildRequest], BuildResult]
) -> Lock:
    """Build what the stack needs, write its lock beside its file, and return it.

    Raises RefusedError when the source has changes that no commit holds, BuildError when it cannot be built,
    ResolveError when a program of a command is not there.
    """
    named = locking.named(stack, all_there=True)
    request = build_request(stack, home=home)
    known = None if request is None else examine(request, environ=environ)
    if known is not None and known.changed:
        more = f" and {len(known.changed) - _SHOWN} more" if len(known.changed) > _SHOWN else ""
        raise RefusedError(
            f"the source has changes that no commit holds: {', '.join(known.changed[:_SHOWN])}{more}",
            where=str(known.root),
            hint="commit them: nobody could get them from the revision in the lock",
        )
    binaries = None if request is None else build(request)
    if request is not None and known is not None and known.cargo_lock is None:
        known = examine(request, environ=environ)  # cargo has just written Cargo.lock
    made = locking.found(stack, request, known, binaries, named)
    lockfile.write(lockfile.path_of(stack.file), made)
    return made


def check(
    stack: Stack, home: StackHome, *, environ: Mapping[str, str], build: Callable[[BuildRequest], BuildResult] | None
) -> tuple[Difference, ...]:
    """Return what of the stack is not as its lock says. Without `build`, its binaries and programs are not looked at.

    Raises RefusedError for a lock that is not there or cannot be read, BuildError when it cannot be built.
    """
    locked = lockfile.read(lockfile.path_of(stack.file))
    request = build_request(stack, home=home)
    known = None if request is None else examine(request, environ=environ)
    early = _differences(
        locked, locking.found(stack, request, known, None, locking.Named({}, {})), known.changed if known else ()
    )
    if build is None:
        return early
    binaries = None if request is None else build(request)
    named = locking.named(stack, all_there=False)
    found = locking.found(stack, request, known, binaries, named)
    late = lockfile.differences(locked, found)
    return (*early, *(change for change in late if change not in early))


def _differences(locked: Lock, found: Lock, changed: tuple[str, ...]) -> tuple[Difference, ...]:
    apart = lockfile.differences(locked, found, binaries=False)
    if not changed:
        return apart
    files = ", ".join(changed[:_SHOWN]) + (f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else "")
    return (lockfile.Difference("source", "what its revision holds", f"changes that no commit holds: {files}"), *apart)


def refuse_unlocked(
    stack: Stack,
    home: StackHome,
    *,
    environ: Mapping[str, str],
    binaries: BuildResult | None,
    built: bool,
) -> None:
    """Raise RefusedError, which names each difference, unless the stack is what its lock says.

    What was not built now is known by its bytes alone.
    """
    locked = lockfile.read(lockfile.path_of(stack.file))
    request = build_request(stack, home=home)
    known = examine(request, environ=environ) if built and request is not None else None
    named = locking.named(stack, all_there=False)
    found = locking.found(stack, request, known, binaries, named)
    apart = lockfile.differences(locked, found, source=built or request is None)
    if known is not None and known.changed:
        apart = (*_differences(locked, locked, known.changed), *apart)
    if apart:
        noun = "difference" if len(apart) == 1 else "differences"
        raise RefusedError(
            f"{stack.name} is not what its lock says, {len(apart)} {noun}",
            where=str(lockfile.path_of(stack.file)),
            detail="\n".join(map(str, apart)),
            hint=(
                "an older hftstack, which looked at less, wrote the lock: run `hftstack lock`, and review it"
                if locked.format < lockfile.FORMAT
                else "review them and run `hftstack lock`, or go back to what is locked"
            ),
        )
