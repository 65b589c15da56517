"""Configs on disk, named by their digest: what a unit reads at a restart is what it read at its start."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tomli_w

from orchestrator.deployment.model import File
from orchestrator.errors import RefusedError
from orchestrator.resolve.error import ResolveError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Configs:
    """The folder of rendered configs, each 0600 and never written to again."""

    folder: Path

    def table(self, name: str, table: Mapping[str, object]) -> File:
        """Render a table as TOML. Raises ResolveError, RefusedError."""
        try:
            text = tomli_w.dumps(table)
            content = text.encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise ResolveError(f"the config cannot be written as TOML: {type(error).__name__}") from None
        return self.content(name, content)

    def content(self, name: str, content: bytes) -> File:
        """Keep the bytes of a config file, so that an edit of it reaches nobody before the next `up`.

        Raises RefusedError when the folder cannot be written to.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        path = self.folder / f"{name}-{sha256[:16]}.toml"
        try:
            if not _holds(path, content):
                _place(path, content)
        except OSError as error:
            raise RefusedError(f"cannot write the config: {error.strerror}", where=str(path)) from None
        return File(str(path), sha256)


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except FileNotFoundError:
        return False


def _place(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=".incoming-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(temporary).rename(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
