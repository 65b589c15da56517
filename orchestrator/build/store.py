"""Binaries by SHA-256: what runs is never overwritten by the next build."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from orchestrator.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK: Final = 1 << 20
_CAPABILITIES: Final = "security.capability"


@dataclass(frozen=True, slots=True)
class StoredBinary:
    """An executable, known by the SHA-256 of its bytes in hexadecimal; nothing rewrites one that lies in a store."""

    path: Path
    sha256: str
    warnings: tuple[str, ...] = ()


def store(source: Path, root: Path) -> StoredBinary:
    """Copy an executable to `root`/SHA256/NAME, or find it there.

    The copy is whole before it has its name, and shares no blocks with the source: no link, which a later build would
    write through. A stored file whose bytes no longer match is replaced by rename; what runs it keeps its own.
    Raises RefusedError when `root` cannot hold executables.
    """
    warnings = _capability_warnings(source)
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with source.open("rb") as reader:
            sha256 = _copied(reader, lambda _: None)
            target = root / sha256 / source.name
            if not _holds(target, sha256):
                reader.seek(0)
                sha256, target = _place(reader, source.name, root)
    except OSError as error:
        raise RefusedError(
            f"cannot store the binary {source.name}: {error.strerror}", where=str(error.filename or root)
        ) from None
    if not os.access(target, os.X_OK):
        raise RefusedError(
            "the file system does not allow programs to run from here (noexec)",
            where=str(root),
            hint="set HFTSTACK_HOME to a folder on another file system",
        )
    return StoredBinary(target, sha256, warnings)


def in_place(source: Path) -> StoredBinary:
    """Return an executable as it lies where cargo put it. Raises RefusedError when it cannot be read."""
    try:
        with source.open("rb") as reader:
            return StoredBinary(source, _copied(reader, lambda _: None))
    except OSError as error:
        raise RefusedError(f"cannot read the binary: {error.strerror}", where=str(source)) from None


def _place(reader: IO[bytes], name: str, root: Path) -> tuple[str, Path]:
    descriptor, temporary = tempfile.mkstemp(prefix=".incoming-", dir=root)
    try:
        with os.fdopen(descriptor, "wb") as writer:
            sha256 = _copied(reader, writer.write)
            writer.flush()
            os.fchmod(writer.fileno(), 0o500)
            os.fsync(writer.fileno())
        target = root / sha256 / name
        target.parent.mkdir(mode=0o700, exist_ok=True)
        Path(temporary).rename(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return sha256, target


def _copied(reader: IO[bytes], write: Callable[[bytes], object]) -> str:
    digest = hashlib.sha256()
    while chunk := reader.read(_CHUNK):
        digest.update(chunk)
        write(chunk)
    return digest.hexdigest()


def _holds(path: Path, sha256: str) -> bool:
    try:
        with path.open("rb") as reader:
            return _copied(reader, lambda _: None) == sha256
    except FileNotFoundError:
        return False


def _capability_warnings(source: Path) -> tuple[str, ...]:
    try:
        os.getxattr(source, _CAPABILITIES)
    except OSError:  # no such attribute, or none on this file system
        return ()
    warning = (
        f"{source} has file capabilities, and a copied binary loses file capabilities; "
        "ask for what they gave under `resources` instead, or start the stack with those privileges"
    )
    return (warning,)
