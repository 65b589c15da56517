"""What a stack file requires of its repository before anything of it is brought up: that what runs was reviewed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.engine.attribution import git
from orchestrator.engine.committed import Committed
from orchestrator.errors import RefusedError
from orchestrator.stack import reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.stack.model import Stack
    from orchestrator.stack.parts import Require


def refuse_unmet(stack: Stack, environ: Mapping[str, str]) -> None:
    """Raise RefusedError, which names everything that the stack's `require` asks for and its repository has not.

    What the stack file required when it was committed is asked for too: a requirement does not go with an edit that
    nobody has reviewed.
    """
    with Committed(environ) as committed:
        for required, where in _requirements(stack, committed, environ):
            unmet = list(_unmet(stack, required, committed, environ))
            if unmet:
                reasons, cures = zip(*unmet, strict=True)
                raise RefusedError("; ".join(reasons), where=where, hint="; ".join(cures))


def _requirements(stack: Stack, committed: Committed, environ: Mapping[str, str]) -> Iterator[tuple[Require, str]]:
    """Yield what is required, and what says so."""
    if stack.require is not None:
        yield stack.require, f"{stack.file}: /require"
    if not all(committed.holds(file, content) for file, content in stack.sources().items()):
        before = reading.required(stack.file, environ, committed)
        if before is not None and before != stack.require:
            yield before, f"{stack.file} as it was committed: /require"


def _unmet(
    stack: Stack, required: Require, committed: Committed, environ: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield what is not as it must be, and what to do about it."""
    if required.locked and not (stack.require is not None and stack.require.locked):
        yield "the stack does not require its lock any more", "put `locked: true` back, or commit that it is gone"
    if not (required.git_clean or required.branch or required.signed):
        return
    folder = stack.file.resolve().parent
    if git(folder, environ, "rev-parse", "--verify", "HEAD") is None:
        yield "the stack file is not in a git repository with a commit", "commit it, or remove `require`"
        return
    if required.git_clean:
        yield from _changed(stack, committed, environ)
    branch = git(folder, environ, "symbolic-ref", "--quiet", "--short", "HEAD")
    if required.branch is not None and branch != required.branch:
        where = "no branch" if branch is None else f"branch {branch}"
        yield f"the repository is on {where}, not {required.branch}", f"git switch {required.branch}"
    if required.signed and git(folder, environ, "verify-commit", "HEAD") is None:
        yield (
            "the commit has no signature that git can verify",
            "git commit --amend --gpg-sign, or import the signer's key: git verify-commit HEAD says which",
        )


def _changed(stack: Stack, committed: Committed, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what is not committed: changes of tracked files, and files of the stack as they were read.

    A file of the stack is compared with the last commit of its own repository: one that it extends may be in another,
    and git tells no change of a file that it was told to assume unchanged.
    """
    folder = stack.file.resolve().parent
    changed = git(folder, environ, "diff", "--name-only", "HEAD")
    files = [] if changed is None else changed.splitlines()
    if changed is None:
        yield "git could not tell whether everything is committed", "git status"
    elif files:
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        yield f"{files[0]}{more} has changes that are not committed", "git commit, or git stash"
    root = Path(git(folder, environ, "rev-parse", "--show-toplevel") or folder)
    named = {root / file for file in files}
    for file, content in sorted(stack.sources().items()):
        if file.resolve() in named or committed.holds(file, content):
            continue
        if committed.has(file) or committed.has(file.resolve()):
            yield f"{file} has changes that are not committed", "git commit them in its repository"
        else:
            yield f"{file} is not tracked by git", f"git add {file.name}, and commit"
