"""The output of units, as their files have it: the last lines, and what comes after them."""

from __future__ import annotations

import os
import re
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from orchestrator.observe.table import cut

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from orchestrator.deployment.homes import StackHome

_BLOCK: Final = 1 << 16
_POLL: Final = 0.1
_READ_FOR_WORDS: Final = 100
_ALL: Final = sys.maxsize
_FIRST_LOOK: Final = 1000
"""Lines from the end in which an instant is looked for first; then ten times as many, and so on."""

_FURTHER: Final = 10
_INSTANT: Final = re.compile(r"^(?:\x1b\[[0-9;]*m)*(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)Z")
_CONTROL: Final = re.compile(r"\x1b\[[0-9;]*m")


def tail(path: Path, count: int, end: int | None = None) -> list[str]:
    """Return the last `count` lines of a file, without colours; none when it cannot be read.

    `end` is the offset in bytes at which the file ends for this, None for its own end.
    """
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END) if end is None else end
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


def history(
    home: StackHome,
    units: list[str],
    count: int | None,
    since: int | None = None,
    *,
    before: Sequence[Follower] = (),
) -> list[tuple[str, str]]:
    """Return (unit, line): the last `count` lines of each unit over its starts, None for all, in the order of time.

    A line without an instant of its own stands behind the line before it; those of a unit that writes none stand first.
    `since`, in nanoseconds since the epoch, leaves out what was written before: lines by their instants, a start that
    writes none by the instant of its last write. What those `before` will yield is left to them.
    """
    followers = {follower.unit: follower for follower in before}
    stamped = []
    for unit in units:
        instant = ""
        for place, line in enumerate(_of_starts(_written_files(home, unit, followers.get(unit)), count, since)):
            found = _INSTANT.match(line)
            instant = max(instant, found.group(1)) if found else instant
            stamped.append((instant, unit, place, line))
    return [(unit, line) for _, unit, _, line in sorted(stamped)]


def _written_files(home: StackHome, unit: str, follower: Follower | None) -> list[tuple[Path, int | None]]:
    """Return the logs of a unit, and where each ends for who reads it now."""
    paths = files(home, unit)
    if follower is None:
        return [(path, None) for path in paths]
    last = follower.path
    return [(path, follower.offset if path == last else None) for path in paths if last is not None and path <= last]


def _of_starts(written: list[tuple[Path, int | None]], count: int | None, since: int | None) -> list[str]:
    lines: list[str] = []
    for path, end in reversed(written):
        missing = None if count is None else count - len(lines)
        if missing == 0 or (since is not None and _last_written(path) < since):
            break
        if since is not None:
            lines = [*_since(path, since, end), *lines]
        else:
            lines = [*tail(path, _ALL if missing is None else missing, end), *lines]
    return lines if count is None else lines[len(lines) - min(count, len(lines)) :]


def _last_written(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _since(path: Path, since: int, end: int | None) -> list[str]:
    earliest = datetime.fromtimestamp(since / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    count = _FIRST_LOOK
    while True:
        lines = tail(path, count, end)
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


class Follower:
    """Follows a unit's output over its starts: when a new log appears, the old one is read to its end first."""

    def __init__(self, home: StackHome, unit: str) -> None:
        """Begin behind the last line that is complete now."""
        self._home = home
        self.unit = unit
        self.path = next(reversed(files(home, unit)), None)
        self.offset = 0 if self.path is None else _end_of_lines(self.path)
        self._rest = b""

    def lines(self) -> Iterator[str]:
        """Yield the lines that are complete by now."""
        while True:
            yield from self._read()
            later = [path for path in files(self._home, self.unit) if self.path is None or path > self.path]
            if not later:
                return
            yield from self._read()
            if self._rest:
                yield _CONTROL.sub("", self._rest.decode(errors="replace"))
            self.path, self.offset, self._rest = later[0], 0, b""

    def _read(self) -> Iterator[str]:
        if self.path is None:
            return
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                data = file.read()
        except OSError:
            return
        self.offset += len(data)
        *complete, self._rest = (self._rest + data).split(b"\n")
        for line in complete:
            yield _CONTROL.sub("", line.decode(errors="replace"))


def _end_of_lines(path: Path) -> int:
    """Return the offset behind the last line of a file that has an end; 0 when it cannot be read."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            while end > 0:
                begin = max(0, end - _BLOCK)
                file.seek(begin)
                found = file.read(end - begin).rfind(b"\n")
                if found >= 0:
                    return begin + found + 1
                end = begin
    except OSError:
        pass
    return 0


def follow(followers: Sequence[Follower]) -> Iterator[tuple[str, str]]:
    """Yield (unit, line) for what they have not yielded yet, for ever."""
    while True:
        for follower in followers:
            for line in follower.lines():
                yield follower.unit, line
        time.sleep(_POLL)
