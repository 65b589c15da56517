"""Checkouts of git sources: one folder a commit, made whole before it has its name, and never changed."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.build import git
from orchestrator.build.cargo import Progress
from orchestrator.build.git import GitError
from orchestrator.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.build.request import Repository

_ALL: Final = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_CHOSEN: Final = "?? Cargo.lock"
"""What cargo writes where a repository has none."""

_SHOWN: Final = 5


def target(repository: Repository) -> Path:
    """Return cargo's target folder, which all commits of a repository share: most of them differ in few crates."""
    return _folder(repository) / "target"


def ensure(
    repository: Repository, *, environ: Mapping[str, str], progress: Callable[[Progress], None] = lambda _: None
) -> Path:
    """Return a folder with exactly that commit, cloned when it is not there yet; then no network is needed.

    Raises BuildError when it cannot be had, or when what is there was changed.
    """
    folder = _folder(repository) / repository.commit
    if not folder.exists():
        progress(Progress(0, 0, f"cloning {repository.url}"))
        _clone(repository, folder, environ)
    _check(repository, folder, environ)
    return folder


def _folder(repository: Repository) -> Path:
    return repository.cache / hashlib.sha256(repository.url.encode()).hexdigest()[:16]


def _clone(repository: Repository, folder: Path, environ: Mapping[str, str]) -> None:
    where = f"{repository.url} at {repository.commit[:12]}"
    temporary = None
    try:
        repository.cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".incoming-", dir=folder.parent))
        git.run(temporary, "init", "--quiet", "--template=", environ=environ)
        _fetch(repository, temporary, environ)
        git.run(temporary, "checkout", "--quiet", "--detach", repository.commit, environ=environ)
        _submodules(repository, temporary, environ)
        if not folder.exists():  # another one may have been quicker: its commit is the same
            temporary.rename(folder)
    except GitError as error:
        raise BuildError(
            "cannot clone the source", where=where, detail=error.said or None, hint="correct source: {git: .., rev: ..}"
        ) from None
    except OSError as error:
        if not folder.exists():
            raise BuildError(f"cannot keep the source: {error.strerror}", where=str(error.filename)) from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _fetch(repository: Repository, folder: Path, environ: Mapping[str, str]) -> None:
    """Fetch the one commit where the server gives it, else all branches and tags, of which it must be one."""
    try:
        git.run(
            folder, "fetch", "--quiet", "--no-tags", "--depth=1", "--", repository.url, repository.commit,
            environ=environ,
        )  # fmt: skip
    except GitError:
        git.run(folder, "fetch", "--quiet", "--", repository.url, *_ALL, environ=environ)
    else:
        return
    try:
        git.run(folder, "cat-file", "-e", f"{repository.commit}^{{commit}}", environ=environ)
    except GitError:
        raise GitError(f"no branch and no tag of it has the commit {repository.commit}") from None


def _submodules(repository: Repository, folder: Path, environ: Mapping[str, str]) -> None:
    """Fetch what the commit has as submodules, at the commits that it names; a remote source has none on this disk."""
    if not (folder / ".gitmodules").is_file():
        return
    git.run(
        folder, "remote", "add", "origin", repository.url, environ=environ
    )  # submodules' URLs may be relative to it
    words = ("submodule", "--quiet", "update", "--init", "--recursive")
    is_remote = not repository.url.startswith(("/", "file:"))
    try:
        git.run(folder, *words, "--depth=1", environ=environ, remote=is_remote)
    except GitError:
        git.run(folder, *words, environ=environ, remote=is_remote)


def _check(repository: Repository, folder: Path, environ: Mapping[str, str]) -> None:
    """Raise BuildError unless the folder holds what the commit does, but for files that git ignores."""
    cure = f"rm -r {folder}, and it is cloned again; to change the source, clone it yourself: source: {{path: ..}}"
    try:
        (commit,) = git.run(folder, "rev-parse", "HEAD", environ=environ)
        changed = [line for line in git.run(folder, "status", "--porcelain", environ=environ) if line != _CHOSEN]
    except (GitError, ValueError):
        raise BuildError("the checkout of the source is damaged", where=str(folder), hint=cure) from None
    if commit != repository.commit:
        message = f"the checkout of the source was moved: it is at {commit[:12]}, not {repository.commit[:12]}"
        raise BuildError(message, where=str(folder), hint=cure)
    if changed:
        names = [line[3:] for line in changed]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        message = f"the checkout of the source was changed: {', '.join(names[:_SHOWN])}{more}"
        raise BuildError(message, where=str(folder), hint=cure)
