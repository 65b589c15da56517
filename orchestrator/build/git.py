"""Git as a child: quiet, asking nobody, running no hook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.build import child
from orchestrator.build.toolchain import which
from orchestrator.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SET: Final = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
}
"""No question on the terminal, no write by who only looks."""

_REMOTE: Final = "git:http:https:ssh"
_ANY: Final = f"file:{_REMOTE}"
"""Transports, none of which runs a command of a URL's (ext::)."""

_PLAIN: Final = ("-c", "core.hooksPath=/dev/null", "-c", "core.autocrlf=false", "-c", "advice.detachedHead=false")
_OURS: Final = ("GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS")
"""Of git's own variables those that say how to reach a host; the others, such as a hook's GIT_DIR, say where."""


class GitError(Exception):
    """Raised when git fails; holds what it said."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


def program(environ: Mapping[str, str]) -> Path:
    """Return git on the PATH of `environ`. Raises BuildError."""
    found = which("git", environ)
    if found is None:
        raise BuildError("there is no program git on the PATH", hint="install it (apt-get install git)")
    return found


def run(folder: Path, *words: str, environ: Mapping[str, str], remote: bool = False) -> list[str]:
    """Return what `git WORDS` prints in `folder`, by line; `remote`: it may read no repository on this disk.

    Raises:
        GitError: git failed.
        BuildError: there is no git.
    """
    env = {key: value for key, value in environ.items() if not key.startswith("GIT_") or key in _OURS}
    out: list[str] = []
    err: list[str] = []
    code = child.run(
        [program(environ), *_PLAIN, *words],
        cwd=folder,
        env=env | _SET | {"GIT_ALLOW_PROTOCOL": _REMOTE if remote else _ANY},
        stdout=out.append,
        stderr=err.append,
    )
    if code != 0:
        raise GitError("\n".join(line for line in err if line.strip()))
    return out
