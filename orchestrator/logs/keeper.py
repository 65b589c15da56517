"""Keeping logs bounded while units write them: rotated by size and age, a reserve on the disk, a bound on the whole.

A pass over all units is a `stat` of each log. What is written since the last archive is archived in slices; on a full
disk old output is given up for new, and counted, so that no unit's write fails.
"""

from __future__ import annotations

import errno
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from orchestrator.logs import archives, room, rotation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.deployment.model import Logs

RESERVE: Final = 1 << 20
"""Bytes that are set aside past a log's end, where an eighth of what is free is as much."""

LATEST: Final = 5.0
"""Seconds between two looks at logs that hardly grow."""

_SOONEST: Final = 0.02
_TIGHT: Final = 0.25
_LITTLE: Final = 64 << 20
_SLICE: Final = 16 << 20
_TOLD_AGAIN: Final = 10.0
_TRIED_AGAIN: Final = 10.0
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_CANNOT: Final = frozenset({errno.EOPNOTSUPP, errno.ENOSYS})


class Writer(Protocol):
    """A process that writes a log; None when its output goes nowhere."""

    @property
    def log(self) -> str | None:
        """Return the log's path."""


@dataclass(slots=True)
class _Kept:
    """What is remembered of the log that a unit writes.

    What the log holds beyond its archives was begun at `since`. `until` is where the rotation under way ends.
    """

    log: Path
    begin: int
    since: float
    looked: float
    until: int = 0
    size: int = 0
    reserve: int = 0
    reserved: int = 0
    rotates_from: float = 0.0
    can: bool = True


def _since(log: Path) -> float | None:
    """Return when the last archive of a log was made, or the log itself; in seconds since the epoch."""
    made = [span.path(log.parent).stat().st_mtime for span in archives.of_log(log) if span.is_archive]
    return max(made) if made else rotation.born(log)


class LogKeeper:
    """Tends the logs of the units that run. `units` is shared with whoever starts and ends them.

    `logs` is the folder that has one for each unit; `bounds` says what holds for a unit; `note` hears what happens to
    its output. `own` are logs that are written for as long as there is a keeper, by the name of their folder.
    """

    def __init__(
        self,
        units: Mapping[str, Writer],
        logs: Path,
        bounds: Callable[[str], Logs],
        note: Callable[[str, str, str], None],
        *,
        own: Mapping[str, Path] = MappingProxyType({}),
    ) -> None:
        self._units = units
        self._own = own
        self._logs = logs
        self._bounds = bounds
        self._note = note
        self._kept: dict[str, _Kept] = {}
        self._said: set[tuple[str, str]] = set()
        self._lost: dict[str, int] = {}
        self._untold: dict[str, int] = {}
        self._told_at: dict[str, float] = {}

    def look(self, now: float, wall: float) -> float:
        """Do what is due for each log. Returns in how many seconds to look again.

        `now` is a monotonic clock in seconds; `wall`, in seconds since the epoch, tells how old output is that was
        written before this keeper's time.
        """
        due = LATEST
        for unit, log in self._written():
            try:
                due = min(due, self._tend(unit, log, now, wall))
            except FileNotFoundError:
                self._kept.pop(unit, None)  # a start so old that it was removed, or a folder that somebody removed
            except OSError as error:
                self._once(unit, f"cannot look after {log}: {error.strerror}")
        for unit in list(self._untold):
            self._tell(unit, now)
        for gone in self._kept.keys() - self._units.keys() - self._own.keys():
            self._leave(self._kept.pop(gone).log)
        return max(due, _SOONEST)

    def end(self) -> None:
        """Give back what was set aside for the logs that are written no longer than there is a keeper."""
        for log in self._own.values():
            self._leave(log)

    def lost(self, unit: str) -> int:
        """Return how many bytes of the unit's output were given up, over the starts of which there still is a log."""
        return self._lost.get(unit, 0)

    def _written(self) -> list[tuple[str, Path]]:
        logs = [(unit, process.log) for unit, process in list(self._units.items())]
        return [(unit, Path(log)) for unit, log in logs if log is not None and log.endswith(".log")] + [
            *self._own.items()
        ]

    def _tend(self, unit: str, log: Path, now: float, wall: float) -> float:
        kept = self._kept.get(unit)
        if kept is None or kept.log != log:
            kept = self._begin(unit, log, now, wall)
        size = log.stat().st_size
        rate = max(0, size - kept.size) / max(now - kept.looked, _SOONEST)
        kept.size, kept.looked = size, now
        if not kept.can:
            return LATEST
        if kept.reserved - size <= kept.reserve // 2:
            self._reserve(unit, kept)
        bounds = self._bounds(unit)
        if size <= kept.begin:
            kept.since = now
        old = size > kept.begin and now - kept.since >= bounds.max_age
        if (size - kept.begin >= bounds.max_size or old) and kept.until <= kept.begin:
            kept.until = size
        if kept.until > kept.begin and now >= kept.rotates_from:
            self._rotate(unit, kept, bounds, now)
        if kept.until > kept.begin and now >= kept.rotates_from:
            return 0.0
        due = LATEST if rate <= 0 else (kept.reserved - size) / 4 / rate
        return min(due, _TIGHT) if room.free(log) < _LITTLE else due

    def _begin(self, unit: str, log: Path, now: float, wall: float) -> _Kept:
        """Know a log; finish what a crash has left in its folder."""
        for other in sorted(log.parent.glob("*.log")):
            if other != log:
                self._leave(other)
        rotation.repair(log.parent)
        self._lost[unit] = archives.lost_in(log.parent)
        since = now - max(0.0, wall - (_since(log) or wall))
        kept = self._kept[unit] = _Kept(log, archives.begin_of(log), since=since, looked=now, size=log.stat().st_size)
        self._bound(unit, kept, self._bounds(unit))
        return kept

    def _rotate(self, unit: str, kept: _Kept, bounds: Logs, now: float) -> None:
        before = kept.begin
        try:
            for _ in rotation.rotate(kept.log, most=min(kept.until - before, _SLICE, bounds.max_size)):
                pass
        except OSError as error:
            if error.errno in _CANNOT:
                kept.can = False
                self._once(unit, f"{kept.log.parent} is on a file system without fallocate(2): logs are not rotated")
                return
            if error.errno not in _NO_ROOM:
                raise
            self._once(unit, "the disk is full: its output is not archived")
            kept.rotates_from = now + _TRIED_AGAIN
        kept.begin = archives.begin_of(kept.log)
        if kept.begin > before:
            kept.since = now
        elif kept.rotates_from <= now:  # a line that has no end yet
            kept.until = 0
        self._bound(unit, kept, bounds)

    def _bound(self, unit: str, kept: _Kept, bounds: Logs) -> None:
        """Keep all that there is of a unit's output within its bound: the oldest goes first."""
        over = room.remove_oldest(kept.log, bounds.keep, kept.reserve)
        if over > 0:
            self._drop(unit, kept, bounds.keep // 2)

    def _reserve(self, unit: str, kept: _Kept) -> None:
        size = max(min(RESERVE, room.free(kept.log) // 8), kept.reserve, room.LEAST)
        while True:
            try:
                if not rotation.reserve(kept.log, size):
                    kept.reserve, kept.reserved = 0, sys.maxsize
                    return
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
                self._once(unit, "the disk is full: old output is given up for new")
                if self._make_room(unit, kept, size):
                    continue
                if size <= room.LEAST:
                    self._once(unit, "the disk is full, and no old output is left to give up: its next write may fail")
                    return
                size = max(size // 4, room.LEAST)
            else:
                kept.reserve, kept.reserved = size, kept.size + size
                return

    def _make_room(self, unit: str, kept: _Kept, size: int) -> bool:
        """Give up what is oldest of the unit, in the last resort of others; tells whether there was anything."""
        found = room.give_way(self._logs, unit, others=False)
        if found is None and self._drop(unit, kept, size):
            return True
        if found is None and size <= room.LEAST:
            found = room.give_way(self._logs, unit, others=True)
        if found is not None:
            self._count(*found)
        return found is not None

    def _drop(self, unit: str, kept: _Kept, keep: int) -> bool:
        lost = rotation.drop(kept.log, keep=keep)
        kept.begin = archives.begin_of(kept.log)
        self._count(unit, lost)
        return lost > 0

    def _count(self, unit: str, lost: int) -> None:
        if lost:
            self._lost[unit] = self._lost.get(unit, 0) + lost
            self._untold[unit] = self._untold.get(unit, 0) + lost

    def _tell(self, unit: str, now: float) -> None:
        if now - self._told_at.get(unit, -_TOLD_AGAIN) >= _TOLD_AGAIN:
            self._told_at[unit] = now
            lost = self._untold.pop(unit)
            self._note(unit, "log-lost", f"{lost} bytes of its output were given up, {self.lost(unit)} in all")

    def _leave(self, log: Path) -> None:
        """Give back the reserve of a log that nobody writes any more."""
        with suppress(OSError):
            rotation.trim(log)

    def _once(self, unit: str, text: str) -> None:
        if (unit, text) not in self._said:
            self._said.add((unit, text))
            self._note(unit, "log", text)
