"""Keeping logs bounded while units write them: rotated by size and age, a reserve on the disk, a bound on the whole.

Looking is a `stat` a log; what takes longer happens in a thread, for one log at a time.
"""

from __future__ import annotations

import asyncio
import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.supervise import archives, rotation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from orchestrator.supervise.process import Process

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_SHARE: Final = 64
_LEAST: Final = 16 << 10
_SOONEST: Final = 0.1
_LATEST: Final = 5.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large and how old logs may grow. Sizes in bytes, times in seconds.

    `size` or `age` makes an archive of what was written since the last one. `behind` is how much may wait for that
    where the disk is full or the writer is faster. `total` bounds the archives of a unit. `reserve` is set aside past a
    log's end, but not more than a sixty-fourth of what is free, or 16 KiB.
    """

    size: int = 16 << 20
    age: float = 24 * 3600.0
    behind: int = 128 << 20
    total: int = 256 << 20
    reserve: int = 1 << 20


@dataclass(slots=True)
class _Kept:
    """What is remembered of the log that a unit writes."""

    log: Path
    begin: int = 0
    since: float = 0.0
    size: int = 0
    looked: float = 0.0
    reserve: int = 0
    reserved: int | None = 0


class LogKeeper:
    """Tends the logs of the units that run. `units` is shared with whoever starts and ends them."""

    def __init__(
        self,
        units: Mapping[str, Process],
        note: Callable[[str | None, str, str], None],
        bounds: Bounds | None = None,
    ) -> None:
        self._units = units
        self._note = note
        self._bounds = bounds or Bounds()
        self._loop = asyncio.get_running_loop()
        self._kept: dict[str, _Kept] = {}
        self._told: set[str] = set()

    async def keep(self) -> None:
        """Tend the logs until cancelled."""
        while True:
            due = _LATEST
            for unit, log in self._logs():
                due = min(due, await self._tend(unit, log))
            for gone in self._kept.keys() - self._units.keys():
                del self._kept[gone]
            await asyncio.sleep(max(due, _SOONEST))

    def _logs(self) -> list[tuple[str, Path]]:
        logs = ((unit, process.log) for unit, process in self._units.items())
        return [(unit, Path(log)) for unit, log in logs if log is not None and log.endswith(".log")]

    async def _tend(self, unit: str, log: Path) -> float:
        """Do what is due for a log. Returns in how many seconds to look again."""
        now = self._loop.time()
        try:
            kept = self._kept.get(unit)
            if kept is None or kept.log != log:
                await asyncio.to_thread(rotation.repair, log.parent)
                kept = self._kept[unit] = _Kept(log, archives.begin_of(log), since=now, looked=now)
            size = log.stat().st_size
            rate = max(0, size - kept.size) / max(now - kept.looked, _SOONEST)
            kept.size, kept.looked = size, now
            self._reserve(unit, kept)
            if size - kept.begin >= self._bounds.size or (size > kept.begin and now - kept.since >= self._bounds.age):
                await self._rotate(unit, kept)
        except OSError as error:
            self._once(unit, f"cannot look after {log}: {error.strerror}")
            return _LATEST
        return _LATEST if rate <= 0 else min(_LATEST, self._bounds.reserve / 4 / rate)

    async def _rotate(self, unit: str, kept: _Kept) -> None:
        try:
            await asyncio.to_thread(_run, rotation.rotate(kept.log, most=self._bounds.size))
            self._bound(kept.log.parent)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            self._once(unit, "the disk is full: its output is not archived")
        before, kept.begin = kept.begin, archives.begin_of(kept.log)
        if kept.begin > before:
            kept.since = self._loop.time()
        if kept.size - kept.begin > self._bounds.behind:
            self._drop(unit, kept)

    def _reserve(self, unit: str, kept: _Kept) -> None:
        if kept.reserved is None or kept.reserved - kept.size > kept.reserve // 2:
            return
        for _ in range(2):
            size = min(self._bounds.reserve, max(_free(kept.log) // _SHARE, _LEAST))
            try:
                can = rotation.reserve(kept.log, size)
            except OSError as error:
                if error.errno not in _FULL:
                    raise
                self._once(unit, "the disk is full: old output is given up for new")
                self._bound(kept.log.parent, keep=0)
                self._drop(unit, kept)
            else:
                kept.reserve, kept.reserved = size, kept.size + size if can else None
                return

    def _drop(self, unit: str, kept: _Kept) -> None:
        lost = rotation.drop(kept.log, keep=self._bounds.reserve // 2)
        if lost:
            self._note(unit, "log-lost", f"{lost} bytes of output were given up: the disk is full, or it is too fast")

    def _bound(self, folder: Path, *, keep: int | None = None) -> None:
        """Remove the oldest archives of a unit until they are within the bound."""
        left = self._bounds.total if keep is None else keep
        for archive in reversed(archives.in_folder(folder)):
            path = archive.path(folder)
            left -= path.stat().st_size
            if left < 0:
                path.unlink(missing_ok=True)

    def _once(self, unit: str, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._note(unit, "log", text)


def _free(path: Path) -> int:
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def _run(steps: Iterator[str]) -> None:
    for _ in steps:
        pass
