"""What has been rotated out of a log: compressed archives beside it, each named by the range of bytes that it holds.

Offsets never move: the log keeps its length, and what an archive holds is punched out of it. So the log `00000003.log`
with the archive `00000003.0-16777216.gz` is read from the archive up to byte 16777216 and from the log after it, at
whatever moment of a rotation.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_NAME: Final = re.compile(r"(\d+)\.(\d+)-(\d+)\.gz")
UNFINISHED: Final = ".new"


@dataclass(frozen=True, slots=True, order=True)
class Archive:
    """The bytes from `begin` up to `end` of one start's output. `start` is the log's name without `.log`."""

    start: str
    begin: int
    end: int

    def path(self, folder: Path) -> Path:
        """Return the archive's file."""
        return folder / f"{self.start}.{self.begin}-{self.end}.gz"


def in_folder(folder: Path) -> list[Archive]:
    """Return the archives of all starts of a unit, oldest first. Raises OSError, but for a folder that is not there."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names are what is wanted
    except FileNotFoundError:
        return []
    found = [match for match in map(_NAME.fullmatch, names) if match]
    return sorted(Archive(match[1], int(match[2]), int(match[3])) for match in found)


def of_log(log: Path) -> list[Archive]:
    """Return one log's archives, oldest first. Raises OSError."""
    return [archive for archive in in_folder(log.parent) if archive.start == log.stem]


def begin_of(log: Path) -> int:
    """Return the first byte that is not in an archive. Raises OSError."""
    return max((archive.end for archive in of_log(log)), default=0)
