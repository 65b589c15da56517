"""The program that a command names, as an absolute path with its digest."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.deployment.model import File
from orchestrator.resolve.error import ResolveError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_CODE: Final = frozenset(
    {
        *(
            ".bash",
            ".jar",
            ".jl",
            ".js",
            ".lua",
            ".mjs",
            ".php",
            ".pl",
            ".py",
            ".pyz",
            ".r",
            ".rb",
            ".sh",
            ".so",
            ".ts",
        ),
        *(".cfg", ".conf", ".ini", ".toml", ".yaml", ".yml"),
    }
)
"""Endings of what a program reads and does not write: its code, and what is written by hand to configure it."""

_HEADS: Final = (b"#!", b"\x7fELF")
_LONGEST_HEAD: Final = 4


@dataclass(slots=True)
class Commands:
    """Finds programs on one PATH; reads each executable once."""

    path: str
    _digests: dict[Path, str] = field(default_factory=dict)

    def resolve(self, command: Sequence[str], cwd: Path) -> tuple[tuple[str, ...], File]:
        """Return the command with an absolute argv[0], links kept, and that file. Raises ResolveError.

        A program with a slash in its name is looked up from `cwd`, any other one on the PATH.
        """
        program = self.find(command[0], cwd)
        return (str(program), *command[1:]), self.file(program)

    def find(self, name: str, cwd: Path) -> Path:
        """Return the absolute path of an executable regular file. Raises ResolveError."""
        if "/" not in name:
            found = shutil.which(name, path=self.path) if self.path else None
            if found is None:
                raise ResolveError(
                    f"there is no program {name!r} on the PATH",
                    hint=f"install it, or write its path; one with a slash is relative to {cwd}",
                )
            return Path(os.path.abspath(found))  # noqa: PTH100 - links stay: a virtual environment's python is one
        path = Path(os.path.abspath(cwd / name))  # noqa: PTH100
        try:
            mode = path.stat().st_mode
        except OSError as error:
            raise ResolveError(f"cannot run {path}: {error.strerror}", hint="correct the path, or create it") from None
        if not stat.S_ISREG(mode):
            raise ResolveError(f"cannot run {path}: it is not a regular file", hint="name the program in the folder")
        if not os.access(path, os.X_OK):
            raise ResolveError(f"cannot run {path}: it is not executable", hint=f"chmod +x {path}")
        return path

    def has_module(self, name: str) -> bool:
        """Tell whether Python has a module."""
        return importlib.util.find_spec(name) is not None

    def file(self, path: Path) -> File:
        """Return an executable with its digest. Raises ResolveError."""
        if path not in self._digests:
            try:
                with path.open("rb") as reader:
                    self._digests[path] = hashlib.file_digest(reader, "sha256").hexdigest()
            except OSError as error:
                raise ResolveError(f"cannot read {path}: {error.strerror}") from None
        return File(str(path), self._digests[path])

    def code(self, words: Sequence[str], cwd: Path) -> tuple[File, ...]:
        """Return the files of code that arguments name, also behind a `=`, by absolute paths; links stay.

        Data is left out, and what cannot be read: a program may write it itself, and is no other one by that.
        """
        names = (name for word in words for name in (word, word.partition("=")[2]) if name)
        paths = dict.fromkeys(Path(os.path.abspath(cwd / name)) for name in names)  # noqa: PTH100
        return tuple(File(str(path), digest) for path in paths if (digest := self._code(path)) is not None)

    def _code(self, path: Path) -> str | None:
        if path not in self._digests:
            try:
                # O_NONBLOCK: opening a named pipe must not wait for a writer.
                with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
                    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode) or not _is_code(
                        path, file.read(_LONGEST_HEAD)
                    ):
                        return None
                    file.seek(0)
                    self._digests[path] = hashlib.file_digest(file, "sha256").hexdigest()
            except (OSError, ValueError):
                return None
        return self._digests[path]


def _is_code(path: Path, head: bytes) -> bool:
    return path.suffix.lower() in _CODE or head.startswith(_HEADS)


@dataclass(slots=True)
class Unlooked(Commands):
    """Takes commands as they are written: for a stack that is reviewed on a machine where it need not run.

    `own` returns the content of a file that is reviewed with it, None for any other.
    """

    own: Callable[[Path], bytes | None] = lambda _: None

    def find(self, name: str, cwd: Path) -> Path:
        """Return what the command says."""
        return Path(name) if "/" not in name else Path(os.path.abspath(cwd / name))  # noqa: PTH100 - links stay

    def has_module(self, name: str) -> bool:
        """Take it as there."""
        del name
        return True

    def file(self, path: Path) -> File:
        """Return a file, with its digest if it is reviewed too."""
        content = self.own(path) if path.is_absolute() else None
        return File(str(path), "" if content is None else hashlib.sha256(content).hexdigest())

    def _code(self, path: Path) -> str | None:
        content = self.own(path)
        if content is None or not _is_code(path, content[:_LONGEST_HEAD]):
            return None
        return hashlib.sha256(content).hexdigest()
