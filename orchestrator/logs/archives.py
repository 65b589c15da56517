"""What is no longer in a log itself: archives beside it, and marks for what was given up, each named by its range.

Offsets never move: the log keeps its length, and what an archive holds is punched out of it. So the log `00000003.log`
with the archive `00000003.0-16777216.gz` is read from the archive up to byte 16777216 and from the log after it, at
whatever moment of a rotation. An empty file `00000003.0-4096.1000.gone` says that nobody can read these bytes any more:
1000 of them were given up before their time, the others removed to bound the whole.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

UNFINISHED: Final = ".new"
_NAME: Final = re.compile(r"(\d+)\.(\d+)-(\d+)\.(?:gz|(\d+)\.gone)")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The bytes from `begin` up to `end` of one start's output. `start` is the log's name without `.log`.

    `lost` is None for an archive; for a mark, how many of the bytes were given up before their time: the disk was full,
    or the writer faster than whoever compresses.
    """

    start: str
    begin: int
    end: int
    lost: int | None = None

    @property
    def is_archive(self) -> bool:
        """Whether the bytes can be read."""
        return self.lost is None

    def path(self, folder: Path) -> Path:
        """Return the file that stands for it."""
        ending = "gz" if self.lost is None else f"{self.lost}.gone"
        return folder / f"{self.start}.{self.begin}-{self.end}.{ending}"


def in_folder(folder: Path) -> list[Span]:
    """Return the spans of all starts of a unit, oldest first. Raises OSError, but for a folder that is not there."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names are what is wanted
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = (match for match in map(_NAME.fullmatch, names) if match)
    spans = [Span(each[1], int(each[2]), int(each[3]), None if each[4] is None else int(each[4])) for each in found]
    return sorted(spans, key=lambda span: (span.start, span.begin, span.end, span.is_archive))


def of_log(log: Path) -> list[Span]:
    """Return one log's spans, oldest first. Raises OSError."""
    return [span for span in in_folder(log.parent) if span.start == log.stem]


def begin_of(log: Path) -> int:
    """Return the first byte that is still to be found in the log itself. Raises OSError."""
    return max((span.end for span in of_log(log)), default=0)


def lost_in(folder: Path) -> int:
    """Return how many bytes of a unit's output were given up before their time. Raises OSError."""
    total = 0
    ends: dict[str, int] = {}
    for span in in_folder(folder):
        if span.lost is not None and span.end > ends.get(span.start, 0):  # else a crash has left it inside another one
            total += span.lost
            ends[span.start] = span.end
    return total


def give_up(folder: Path, mark: Span) -> None:
    """Mark bytes as given up. One mark holds what follows upon another, so there are no more of them than archives.

    Raises OSError.
    """
    marks = [other for other in in_folder(folder) if other.start == mark.start and not other.is_archive]
    before = max((other for other in marks if other.begin <= mark.begin <= other.end), key=_end, default=None)
    after = next((other for other in marks if other.begin == mark.end), None)
    whole = mark if before is None else _joined(before, mark)
    if after is not None:
        whole = _joined(whole, after)
    if before is not None:
        before.path(folder).rename(whole.path(folder))
        if after is not None:
            after.path(folder).unlink()
    elif after is not None:
        after.path(folder).rename(whole.path(folder))
    else:
        os.close(os.open(whole.path(folder), os.O_WRONLY | os.O_CREAT, 0o600))


def _end(span: Span) -> int:
    return span.end


def _joined(first: Span, second: Span) -> Span:
    added = max(0, (second.lost or 0) - max(0, first.end - second.begin))
    return Span(first.start, first.begin, max(first.end, second.end), (first.lost or 0) + added)


def remove(folder: Path, archive: Span, *, early: bool) -> None:
    """Remove an archive and mark its bytes as given up, `early` before their time. Raises OSError.

    A full disk does not hinder it.
    """
    mark = Span(archive.start, archive.begin, archive.end, archive.end - archive.begin if early else 0)
    try:
        give_up(folder, mark)
    except OSError:
        archive.path(folder).rename(mark.path(folder))
        os.truncate(mark.path(folder), 0)
    else:
        archive.path(folder).unlink(missing_ok=True)
