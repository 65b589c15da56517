"""Files that are whole at any instant: replaced by rename, or overwritten in their place."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_ROOM: Final = 4096
"""Bytes by which a file that is overwritten grows."""


def replace_file(path: Path, text: str, *, durable: bool) -> None:
    """Write `text` to `path` by rename, mode 0600; `durable` syncs the file and its directory. Raises OSError."""
    fresh = path.with_name(f".{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        data = text.encode()
        while data:
            data = data[os.write(descriptor, data) :]
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    fresh.rename(path)
    if durable:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make what was created, renamed or removed in a folder durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def overwrite_file(path: Path, text: str) -> None:
    """Write `text` over what `path` holds, padded with white space; by rename when it does not fit. Raises OSError.

    It takes no new block, so that a full disk costs no record, and a tenth of a rename's time on ext4, which begins to
    write back what replaces a file (0.05 ms against 0.4, measured). A supervisor killed in the middle of a long text
    leaves pages of both: a record that matches no process is nobody's.
    """
    data = text.encode()
    try:
        descriptor = os.open(path, os.O_WRONLY)
    except FileNotFoundError:
        size = 0
    else:
        try:
            size = os.fstat(descriptor).st_size
            if len(data) <= size and os.pwrite(descriptor, data.ljust(size), 0) == size:
                return
        finally:
            os.close(descriptor)
    replace_file(path, text.ljust(max(size, -len(data) % _ROOM + len(text))), durable=False)
