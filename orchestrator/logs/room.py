"""Room for logs: what a unit's output takes on the disk, and what of it goes when there is too much."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from orchestrator.logs import archives

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.logs.archives import Span

LEAST: Final = 16 << 10
"""Bytes without which no start is given a log: on a full disk its first write would fail."""

_BLOCK: Final = 512


def free(path: Path) -> int:
    """Return how many bytes are free for us on a path's file system. Raises OSError."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def taken(log: Path) -> int:
    """Return how many bytes of the disk a log takes, holes not counted. Raises OSError."""
    return log.stat().st_blocks * _BLOCK


def remove_oldest(log: Path, keep: int, reserve: int) -> int:
    """Remove a unit's oldest output until at most `keep` bytes are left; `log` is being written, and stays.

    Returns how many bytes the log alone has above that, its `reserve` not counted. Raises OSError.
    """
    folder = log.parent
    live = max(0, taken(log) - reserve)
    sizes: list[tuple[str, int, Span | None]] = [
        (span.start, span.path(folder).stat().st_size, span) for span in archives.in_folder(folder) if span.is_archive
    ]
    sizes += [(other.stem, taken(other), None) for other in folder.glob("*.log") if other.stem < log.stem]
    left = keep - live - sum(size for _, size, _ in sizes)
    for start, size, span in sorted(sizes, key=lambda found: (found[0], found[2] is None, found[2])):
        if left >= 0:
            break
        if span is not None:
            archives.remove(folder, span, early=False)
        else:
            remove_start(folder, start)
        left += size
    return max(0, live - keep)


def remove_start(folder: Path, start: str) -> None:
    """Remove all that there is of one start's output. Raises OSError."""
    for span in archives.in_folder(folder):
        if span.start == start:
            span.path(folder).unlink(missing_ok=True)
    (folder / f"{start}.log").unlink(missing_ok=True)


def give_way(logs: Path, unit: str, *, others: bool) -> tuple[str, int] | None:
    """Remove an archive before its time: the unit's oldest; with `others`, else the oldest of another one.

    Returns whose it was and how many bytes of output it held; None when there is none. Raises OSError.
    """
    folders = [logs / unit]
    with suppress(OSError):
        folders += sorted(folder for folder in logs.iterdir() if others and folder.name != unit)
    for folder in folders:
        for span in archives.in_folder(folder):
            if span.is_archive:
                archives.remove(folder, span, early=True)
                return folder.name, span.end - span.begin
    return None
