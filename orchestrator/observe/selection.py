"""Which stack a command means: by name, by the path of its file, or the only one that runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import RefusedError, UsageError
from orchestrator.supervise import lock

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orchestrator.deployment.homes import Home, StackHome

NONE_RUNS: Final = "no stack is running"


def select(home: Home, wanted: str | None, near: Path | None = None) -> StackHome:
    """Return the stack that `wanted` names: a name, or a stack file's path as it was given to `up`.

    None means the one stack that runs; when that is none, or several, the one that was started from the file `near`.
    Raises UsageError when this leaves none, or several. No file is read: it may have changed, or be gone.
    """
    if wanted is None:
        return _only_one(home, near)
    if is_path(wanted):
        found = started_from(home, Path(wanted))
        if found is not None:
            return found
        raise UsageError(f"no stack was ever started from {wanted} here", hint="hftstack up FILE starts one")
    if wanted not in home.stacks():
        known = ", ".join(home.stacks())
        raise UsageError(
            f"no stack is named {wanted} here", hint=f"there is {known}" if known else "hftstack up FILE starts one"
        )
    return home.stack(wanted)


def started_from(home: Home, file: Path) -> StackHome | None:
    """Return the stack that is deployed from a file, None when there is none."""
    paths = {str(file.absolute()), str(file.resolve())}
    stacks = map(home.stack, home.stacks())
    return next((stack for stack in stacks if deployed_file(stack) in paths), None)


def _only_one(home: Home, near: Path | None) -> StackHome:
    running = [name for name in home.stacks() if runs(home.stack(name))] or _marked(home)
    if len(running) == 1:
        return home.stack(running[0])
    found = None if near is None else started_from(home, near)
    if found is not None and (not running or found.name in running):
        return found
    if not running:
        raise UsageError(NONE_RUNS, hint="hftstack up FILE starts one")
    raise UsageError(f"{len(running)} stacks are running: {', '.join(running)}", hint="name the one that is meant")


def _marked(home: Home) -> list[str]:
    """Return the stacks of which nothing but processes is left."""
    from orchestrator.supervise.process import members  # noqa: PLC0415 - 5 ms that a stack on record does not need

    prefix = home.marker
    names = {marker.removeprefix(prefix).partition("/")[0] for marker in members(prefix).values()}
    return sorted(names.intersection(home.stacks()))


def is_path(text: str) -> bool:
    """Tell a stack file's path from a stack's name."""
    return "/" in text or text.endswith((".yaml", ".yml"))


def deployed_file(home: StackHome) -> str | None:
    """Return the stack file that is deployed, None when nothing readable is."""
    found = _deployed(home).get("file")
    return found if isinstance(found, str) else None


def deployed_units(home: StackHome) -> tuple[str, ...]:
    """Return the names of the units that are deployed, in the deployment's order."""
    units = _deployed(home).get("units")
    names = [unit.get("name") for unit in units if isinstance(unit, dict)] if isinstance(units, list) else []
    return tuple(name for name in names if isinstance(name, str))


def check_units(stack: str, names: Iterable[str], known: Sequence[str]) -> None:
    """Raise UsageError for the first of `names` that is none of the stack's units; names the nearest."""
    for name in names:
        if name in known:
            continue
        import difflib  # noqa: PLC0415 - for a mistyped name only

        near = difflib.get_close_matches(name, known, n=1)
        hint = f"it has {', '.join(known) or 'none'}"
        if name == stack:
            hint = f"-s {stack} names the stack; {hint}"
        elif near:
            hint = f"did you mean {near[0]}? {hint}"
        raise UsageError(f"{stack} has no unit {_shown(name)}", hint=hint)


def _shown(name: str) -> str:
    return name if name.isprintable() else repr(name)


def _deployed(home: StackHome) -> dict[str, object]:
    """Return what the deployment says, unchecked; nothing when there is none that can be read."""
    try:
        found = json.loads(home.deployment.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def runs(home: StackHome) -> bool:
    """Tell whether a stack is supervised, or has processes that outlived their supervisor.

    Raises RefusedError when the runtime directory is another user's, as after su(1) without a login.
    """
    if lock.holder(home.lock) is not None:
        return True
    try:
        if not home.units.exists():
            return False
    except OSError as error:
        raise RefusedError(
            f"cannot look into the runtime directory: {error.strerror}",
            where=str(home.runtime),
            hint="log in as yourself: XDG_RUNTIME_DIR is another user's, or unset it",
        ) from None
    from orchestrator.observe.unsupervised import living  # noqa: PLC0415 - 20 ms that a supervised stack does not need

    return bool(living(home))
