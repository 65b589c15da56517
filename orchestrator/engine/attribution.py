"""Who does something, and from which commit: what the journal keeps of an `up`, a `down` and a `halt`."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any, Final

from orchestrator.supervise.halt import user_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_WITHIN: Final = 2.0
"""Seconds for git to answer; a repository on a slow disk is then not known."""

_GIT: Final = ("git", "-c", "core.fsmonitor=false", "--no-optional-locks", "-C")


_KNOWN: Final = frozenset({"PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "SSH_AUTH_SOCK", "GNUPGHOME", "GPG_TTY"})
"""Variables that git and what it runs need; XDG_* too."""


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what git gets of the caller's environment: filters and signature checks are programs of others."""
    return {key: value for key, value in environ.items() if key in _KNOWN or key.startswith("XDG_")} | {"LC_ALL": "C"}


def by(environ: Mapping[str, str], file: Path | None = None) -> dict[str, Any]:
    """Return `user`, and with a stack file `commit` and `dirty` of its repository, null where there is none.

    A file that is not committed makes its repository dirty: the commit does not say what is in it.
    """
    found: dict[str, Any] = {"user": user_name(environ), "commit": None, "dirty": None}
    if file is None:
        return found
    path = file.resolve()
    commit = git(path.parent, environ, "rev-parse", "--verify", "HEAD")
    if commit is None:
        return found
    changed = git(path.parent, environ, "status", "--porcelain", "--untracked-files=no")
    tracked = git(path.parent, environ, "ls-files", "--error-unmatch", "--", path.name)
    return {**found, "commit": commit, "dirty": bool(changed) or changed is None or tracked is None}


def git(folder: Path, environ: Mapping[str, str], *words: str) -> str | None:
    """Return what git says, None when it fails, is missing or takes too long."""
    try:
        done = subprocess.run(
            [*_GIT, str(folder), *words],
            env=environment(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_WITHIN,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
