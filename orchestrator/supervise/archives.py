"""What is no longer in a log itself: archives beside it, and marks for what was given up, each named by its range.

Offsets never move: the log keeps its length, and what an archive holds is punched out of it. So the log `00000003.log`
with the archive `00000003.0-16777216.gz` is read from the archive up to byte 16777216 and from the log after it, at
whatever moment of a rotation. An empty file `00000003.0-4096.lost` says that nobody can read these bytes any more.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

UNFINISHED: Final = ".new"


class Fate(StrEnum):
    """What became of a range of bytes; also how the name of its file ends."""

    ARCHIVED = "gz"
    AGED = "aged"
    """Removed to keep the unit's output within its bound, as it was told to."""
    LOST = "lost"
    """Given up before its time: the disk was full, or the writer faster than whoever compresses."""


_NAME: Final = re.compile(rf"(\d+)\.(\d+)-(\d+)\.({'|'.join(Fate)})")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The bytes from `begin` up to `end` of one start's output. `start` is the log's name without `.log`."""

    start: str
    begin: int
    end: int
    fate: Fate = Fate.ARCHIVED

    def path(self, folder: Path) -> Path:
        """Return the file that stands for it."""
        return folder / f"{self.start}.{self.begin}-{self.end}.{self.fate}"


def in_folder(folder: Path) -> list[Span]:
    """Return the spans of all starts of a unit, oldest first. Raises OSError, but for a folder that is not there."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names are what is wanted
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = [match for match in map(_NAME.fullmatch, names) if match]
    return sorted(Span(match[1], int(match[2]), int(match[3]), Fate(match[4])) for match in found)


def of_log(log: Path) -> list[Span]:
    """Return one log's spans, oldest first. Raises OSError."""
    return [span for span in in_folder(log.parent) if span.start == log.stem]


def begin_of(log: Path) -> int:
    """Return the first byte that is still to be found in the log itself. Raises OSError."""
    return max((span.end for span in of_log(log)), default=0)


def lost_in(folder: Path) -> int:
    """Return how many bytes of a unit's output were given up before their time. Raises OSError."""
    return sum(span.end - span.begin for span in in_folder(folder) if span.fate is Fate.LOST)


def give_up(folder: Path, span: Span) -> None:
    """Mark bytes as given up; `span.fate` says why. One mark holds what follows upon another. Raises OSError."""
    for prior in in_folder(folder):
        follows = prior.begin <= span.begin <= prior.end
        if (prior.start, prior.fate) == (span.start, span.fate) and follows:
            longer = Span(span.start, prior.begin, max(prior.end, span.end), span.fate)
            prior.path(folder).rename(longer.path(folder))
            return
    os.close(os.open(span.path(folder), os.O_WRONLY | os.O_CREAT, 0o600))


def remove(folder: Path, archive: Span, fate: Fate) -> None:
    """Remove an archive and mark its bytes as given up. A full disk does not hinder it. Raises OSError."""
    mark = Span(archive.start, archive.begin, archive.end, fate)
    try:
        give_up(folder, mark)
    except OSError:
        archive.path(folder).rename(mark.path(folder))
        os.truncate(mark.path(folder), 0)
    else:
        archive.path(folder).unlink(missing_ok=True)
