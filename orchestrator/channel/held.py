"""Files that another process holds open, compared with what lies at their paths now."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_DELETED = " (deleted)"


def identity(path: Path) -> tuple[int, int] | None:
    """Return device and inode of a file, None when it is not there."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


def detached(pid: int, place: Callable[[str], Path | None]) -> str | None:
    """Return the name of a file that the process holds and that was removed or replaced at its path.

    `place` maps a held file's name to the path where it should lie, None for files of no interest. None also when the
    process is gone or its descriptors may not be read (another user's, or a binary with file capabilities).
    """
    for held in _descriptors(pid):
        try:
            name = held.readlink().name.removesuffix(_DELETED)
            path = place(name)
            if path is not None and identity(held) not in (None, identity(path)):
                return name
        except OSError:
            continue
    return None


def holds(pid: int, file: tuple[int, int]) -> bool:
    """Tell whether the process has the file of that identity open; False also when its descriptors may not be read."""
    for held in _descriptors(pid):
        with suppress(OSError):
            if identity(held) == file:
                return True
    return False


def _descriptors(pid: int) -> list[Path]:
    directory = Path(f"/proc/{pid}/fd")
    try:
        with os.scandir(directory) as entries:
            return [directory / entry.name for entry in entries]
    except OSError:
        return []
