"""The output of units, as their files have it: the last lines, and what comes after them."""

from __future__ import annotations

import os
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from orchestrator.observe.table import cut

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from orchestrator.deployment.homes import StackHome

_BLOCK: Final = 1 << 16
_POLL: Final = 0.1
_READ_FOR_WORDS: Final = 100
_FIRST_LOOK: Final = 1000
"""Lines from the end in which an instant is looked for first; then ten times as many, and so on."""

_FURTHER: Final = 10
_INSTANT: Final = re.compile(r"^(?:\x1b\[[0-9;]*m)*(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)Z")
_CONTROL: Final = re.compile(r"\x1b\[[0-9;]*m")


def tail(path: Path, count: int) -> list[str]:
    """Return the last `count` lines of a file, without colours; none when it cannot be read."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            data = b""
            while end > 0 and data.count(b"\n") <= count:
                size = min(_BLOCK, end)
                end -= size
                file.seek(end)
                data = file.read(size) + data
    except OSError:
        return []
    text = data.decode(errors="replace")
    return [_CONTROL.sub("", line) for line in text.splitlines()[-count:]] if count else []


def last_words(path: Path, count: int, *, width: int = 160) -> list[str]:
    """Return what a unit wrote last in at most `count` lines: repeats are counted, not shown; long lines are cut."""
    told: list[str] = []
    message, times = "", 0
    for line in tail(path, _READ_FOR_WORDS):
        said = _INSTANT.sub("", line)
        if told and said == message:
            times += 1
            told[-1] = f"{cut(line, width)}  ({times} times)"
        else:
            message, times = said, 1
            told.append(cut(line, width))
    return told[-count:]


def units(home: StackHome) -> list[str]:
    """Return the units that ever wrote, sorted; also those that the stack no longer has."""
    try:
        return sorted(entry.name for entry in home.logs.iterdir() if entry.is_dir())
    except OSError:
        return []


def files(home: StackHome, unit: str) -> list[Path]:
    """Return the logs of a unit, one a start, oldest first."""
    return sorted(path for path in (home.logs / unit).glob("*.log") if path.stem.isdecimal())


def history(home: StackHome, units: list[str], count: int | None, since: int | None = None) -> list[tuple[str, str]]:
    """Return (unit, line): the last `count` lines of each unit over its starts, None for all, in the order of time.

    A line without an instant of its own stands behind the line before it; those of a unit that writes none stand first.
    `since`, in nanoseconds since the epoch, leaves out what was written before: lines by their instants, a start that
    writes none by the instant of its last write.
    """
    stamped = []
    for unit in units:
        instant = ""
        for place, line in enumerate(_of_starts(files(home, unit), count, since)):
            found = _INSTANT.match(line)
            instant = max(instant, found.group(1)) if found else instant
            stamped.append((instant, unit, place, line))
    return [(unit, line) for _, unit, _, line in sorted(stamped)]


def _of_starts(paths: list[Path], count: int | None, since: int | None) -> list[str]:
    lines: list[str] = []
    for path in reversed(paths):
        missing = None if count is None else count - len(lines)
        if missing == 0 or (since is not None and _written(path) < since):
            break
        if since is not None:
            lines = [*_since(path, since), *lines]
        else:
            lines = [*(_all(path) if missing is None else tail(path, missing)), *lines]
    return lines if count is None else lines[len(lines) - min(count, len(lines)) :]


def _written(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _since(path: Path, since: int) -> list[str]:
    earliest = datetime.fromtimestamp(since / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    count = _FIRST_LOOK
    while True:
        lines = tail(path, count)
        first = next((found.group(1) for line in lines if (found := _INSTANT.match(line))), None)
        if len(lines) < count or (first is not None and first < earliest):
            break
        count *= _FURTHER
    kept, keeps = [], first is None or first >= earliest
    for line in lines:
        found = _INSTANT.match(line)
        keeps = found.group(1) >= earliest if found else keeps
        if keeps:
            kept.append(line)
    return kept


def _all(path: Path) -> list[str]:
    try:
        return [_CONTROL.sub("", line) for line in path.read_text(errors="replace").splitlines()]
    except OSError:
        return []


class Follower:
    """Follows a unit's output over its starts: when a new log appears, the old one is read to its end first."""

    def __init__(self, home: StackHome, unit: str) -> None:
        """Begin at the end of what is there now."""
        self._home = home
        self.unit = unit
        self._path = next(reversed(files(home, unit)), None)
        self._offset = self._path.stat().st_size if self._path is not None else 0
        self._rest = b""

    def lines(self) -> Iterator[str]:
        """Yield the lines that are complete by now."""
        while True:
            yield from self._read()
            later = [path for path in files(self._home, self.unit) if self._path is None or path > self._path]
            if not later:
                return
            yield from self._read()
            if self._rest:
                yield _CONTROL.sub("", self._rest.decode(errors="replace"))
            self._path, self._offset, self._rest = later[0], 0, b""

    def _read(self) -> Iterator[str]:
        if self._path is None:
            return
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except OSError:
            return
        self._offset += len(data)
        *complete, self._rest = (self._rest + data).split(b"\n")
        for line in complete:
            yield _CONTROL.sub("", line.decode(errors="replace"))


def follow(home: StackHome, units: list[str]) -> Iterator[tuple[str, str]]:
    """Yield (unit, line) for what is written from now on, for ever."""
    followers = [Follower(home, unit) for unit in units]
    while True:
        for follower in followers:
            for line in follower.lines():
                yield follower.unit, line
        time.sleep(_POLL)
