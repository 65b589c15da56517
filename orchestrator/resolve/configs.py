"""Configs on disk, named by their digest: what a unit reads at a restart is what it read at its start."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import tomli_w

from orchestrator.deployment.model import UNREAD, File
from orchestrator.errors import RefusedError
from orchestrator.resolve.error import ResolveError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True)
class Configs:
    """The folder of rendered configs, each 0600 and never written to again; nothing is there before `write`."""

    folder: Path
    _contents: dict[Path, bytes] = field(default_factory=dict, repr=False)

    def table(self, name: str, table: Mapping[str, object]) -> File:
        """Render a table as TOML. Raises ResolveError."""
        return self.content(name, rendered(table))

    def content(self, name: str, content: bytes) -> File:
        """Keep the bytes of a config file, so that an edit of it reaches nobody before the next `up`."""
        return self._file(name, content, hashlib.sha256(content).hexdigest())

    def secret(self, name: str, content: bytes, digest: str) -> File:
        """Keep a config that holds secrets, by a digest that tells nothing of them."""
        return self._file(name, content, digest)

    def unread(self, name: str) -> File:
        """Return what stands for a config whose secrets are not read; it is not written."""
        return File(str(self.folder / f"{name}-{UNREAD}.toml"), UNREAD)

    def kept(self, path: str) -> bytes | None:
        """Return the content that is to lie at a path, None for one of which nothing is known."""
        return self._contents.get(Path(path))

    def write(self) -> None:
        """Write what was rendered and is not there, or not whole. Raises RefusedError when that is impossible."""
        for path, content in self._contents.items():
            try:
                if not _holds(path, content):
                    _place(path, content)
            except OSError as error:
                raise RefusedError(f"cannot write the config: {error.strerror}", where=str(path)) from None

    def _file(self, name: str, content: bytes, digest: str) -> File:
        path = self.folder / f"{name}-{digest[:16]}.toml"
        self._contents[path] = content
        return File(str(path), digest)


def rendered(table: Mapping[str, object]) -> bytes:
    """Return a table as TOML. Raises ResolveError, which shows nothing of it."""
    try:
        return tomli_w.dumps(table).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ResolveError(f"the config cannot be written as TOML: {type(error).__name__}") from None


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
