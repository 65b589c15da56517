"""Where units write: a file for each start, the last few of them kept."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from orchestrator.logs import room, rotation

if TYPE_CHECKING:
    from pathlib import Path

_KEPT: Final = 20
_FIRST: Final = 256 << 10
"""Bytes that are set aside for a start's output until the keeper of logs has looked at it."""


class LogFiles:
    """The logs of a stack's units, in a directory for each. The directory is listed once; then it is ours to know."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[str, list[Path]] = {}

    def new(self, unit: str) -> Path:
        """Return the log of a unit's next start, created empty, and remove the oldest.

        It has a little room set aside for it: on a full disk, where old output cannot give way, there is no log. Raises
        OSError.
        """
        known = self._of(unit)
        number = int(known[-1].stem) + 1 if known else 1
        path = self._directory / unit / f"{number:08}.log"
        try:
            _create(path)
        except FileNotFoundError:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _create(path)
        self._secure(unit, path)
        known.append(path)
        while len(known) > _KEPT:
            with suppress(OSError):
                room.remove_start(known[0].parent, known[0].stem)
            del known[0]
        return path

    def latest(self, unit: str) -> str | None:
        """Return the log of the unit's last start; None when it was never started, or that cannot be seen."""
        known: list[Path] = []
        with suppress(OSError):
            known = self._of(unit)
        return str(known[-1]) if known else None

    def _secure(self, unit: str, path: Path) -> None:
        """Set the first bytes of a log aside, if need be at the cost of older output."""
        size = max(min(_FIRST, room.free(path) // 8), room.LEAST)
        while True:
            try:
                rotation.reserve(path, size)
            except OSError as error:
                if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                    path.unlink()
                    raise
                last = size <= room.LEAST
                if not self._make_room(unit, others=last):
                    if last:
                        path.unlink()
                        raise
                    size = room.LEAST
            else:
                return

    def _make_room(self, unit: str, *, others: bool) -> bool:
        """Free what earlier starts of the unit take: what was set aside for them, then the oldest of their output.

        `others`: in the last resort an archive of another unit. Tells whether there was anything.
        """
        earlier = [log for log in self._of(unit) if log.exists()]
        if any(rotation.trim(log) for log in earlier):
            return True
        if room.give_way(self._directory, unit, others=False) is not None:
            return True
        if any(room.taken(log) >= room.LEAST and rotation.drop(log, keep=0) for log in earlier):
            return True
        return others and room.give_way(self._directory, unit, others=True) is not None

    def _of(self, unit: str) -> list[Path]:
        known = self._known.get(unit)
        if known is None:
            directory = self._directory / unit
            try:
                names = sorted(name for name in os.listdir(directory) if name.removesuffix(".log").isdecimal())  # noqa: PTH208 - names are what is sorted
            except FileNotFoundError:
                names = []
            known = self._known[unit] = [directory / name for name in names if name.endswith(".log")]
        return known


def _create(path: Path) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600))
