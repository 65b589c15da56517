"""The program that a command names, as an absolute path with its digest."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.deployment.model import File
from orchestrator.resolve.error import ResolveError

if TYPE_CHECKING:
    from collections.abc import Sequence


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


class Unlooked(Commands):
    """Takes commands as they are written: for a stack that is reviewed on a machine where it need not run."""

    def find(self, name: str, cwd: Path) -> Path:
        """Return what the command says."""
        return Path(name) if "/" not in name else Path(os.path.abspath(cwd / name))  # noqa: PTH100 - links stay

    def has_module(self, name: str) -> bool:
        """Take it as there."""
        del name
        return True

    def file(self, path: Path) -> File:
        """Return a file of which nothing is known."""
        return File(str(path), "")
