"""What a stack file requires of its repository before anything of it is brought up: that what runs was reviewed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.engine.attribution import git
from orchestrator.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.stack.model import Stack
    from orchestrator.stack.parts import Require


def refuse_unmet(stack: Stack, environ: Mapping[str, str]) -> None:
    """Raise RefusedError, which names everything that the stack's `require` asks for and its repository has not."""
    required = stack.require
    if required is None or not (required.git_clean or required.branch or required.signed):
        return
    unmet = list(_unmet(stack, required, environ))
    if unmet:
        reasons, cures = zip(*unmet, strict=True)
        raise RefusedError("; ".join(reasons), where=f"{stack.file}: /require", hint="; ".join(cures))


def _unmet(stack: Stack, required: Require, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what is not as it must be, and what to do about it."""
    folder = stack.file.resolve().parent
    if git(folder, environ, "rev-parse", "--verify", "HEAD") is None:
        yield "the stack file is not in a git repository with a commit", "commit it, or remove `require`"
        return
    if required.git_clean:
        yield from _changed(stack, environ)
    branch = git(folder, environ, "symbolic-ref", "--quiet", "--short", "HEAD")
    if required.branch is not None and branch != required.branch:
        where = "no branch" if branch is None else f"branch {branch}"
        yield f"the repository is on {where}, not {required.branch}", f"git switch {required.branch}"
    if required.signed and git(folder, environ, "verify-commit", "HEAD") is None:
        yield (
            "the commit has no signature that git can verify",
            "git commit --amend --gpg-sign, or import the signer's key: git verify-commit HEAD says which",
        )


def _changed(stack: Stack, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what is not committed: changes of tracked files, and files of the stack that git does not track."""
    folder = stack.file.resolve().parent
    changed = git(folder, environ, "diff", "--name-only", "HEAD")
    if changed is None:
        yield "git could not tell whether everything is committed", "git status"
    elif changed:
        files = changed.splitlines()
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        yield f"{files[0]}{more} has changes that are not committed", "git commit, or git stash"
    for file in sorted(stack.sources()):
        path = file.resolve()
        if git(path.parent, environ, "ls-files", "--error-unmatch", "--", path.name) is None:
            yield f"{file} is not tracked by git", f"git add {file.name}, and commit"
