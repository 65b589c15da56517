"""The output of units, as their files have it: the last lines, and what comes after them."""

from __future__ import annotations

import heapq
import re
from contextlib import suppress
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestrator.deployment.homes import SUPERVISOR
from orchestrator.logs import archives
from orchestrator.logs.output import Output
from orchestrator.observe.table import cut
from orchestrator.printable import screened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from orchestrator.deployment.homes import StackHome

_READ_FOR_WORDS: Final = 100
_FIRST_LOOK: Final = 1000
"""Lines from the end in which an instant is looked for first; then ten times as many, and so on."""

_FURTHER: Final = 10
_INSTANT: Final = re.compile(r"^(?:\x1b\[[0-9;]*m)*(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)Z")
_HARMLESS: Final = "No config file was loaded, a config with default values will be used."
_CONTROL: Final = re.compile(r"\x1b\[[0-9;]*m")


class Place(NamedTuple):
    """Where somebody reads the output of a unit: the log, None before the first one, and the offset in it in bytes."""

    path: Path | None
    offset: int


_NOBODY: Final[Mapping[str, Place]] = MappingProxyType({})


def text(line: bytes) -> str:
    """Return a line without its colours."""
    return _plain(line.decode(errors="replace"))


def tail(path: Path, count: int, end: int | None = None) -> list[str]:
    """Return the last `count` lines of a log, without colours; none when it cannot be read.

    `end` is the offset in bytes at which the log ends for this, None for its own end.
    """
    try:
        data = Output(path).last(count, before=end)
    except OSError:
        return []
    return [_plain(line) for line in _split(data)[-count:]] if count else []


def _plain(line: str) -> str:
    return screened(_CONTROL.sub("", line))


def _split(data: bytes) -> list[str]:
    return data.decode(errors="replace").splitlines()


def _whole(path: Path, end: int | None) -> Iterator[str]:
    """Yield all lines of a log up to `end`, None for its own end; none when it cannot be read."""
    output, offset, rest = Output(path), 0, b""
    with suppress(OSError):
        while end is None or offset < end:
            offset, data = output.read(offset)
            if not data:
                break
            if end is not None:
                data = data[: len(data) - max(0, offset - end)]
            *complete, rest = (rest + data).split(b"\n")
            for line in complete:
                yield from map(_plain, _split(line) or [""])
    yield from map(_plain, _split(rest))


def last_words(
    path: Path, count: int, *, width: int = 600, hide: Callable[[str], str] = lambda line: line
) -> list[str]:
    """Return what a unit wrote last in at most `count` lines: repeats are counted, not shown; long lines are cut.

    `hide` takes out of a line what may not be shown, before it is cut: a part of a key would not be known again.

    An error that holds another one says its cause last, after some 300 characters (upstream's connector).
    iceoryx2's warning that it takes its defaults is left out: nearly every unit writes it, and it means nothing.
    """
    told: list[str] = []
    message, times = "", 0
    for line in tail(path, _READ_FOR_WORDS):
        if _HARMLESS in line:
            continue
        line = hide(line)  # noqa: PLW2901 - nobody may see the other one
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
        return sorted(entry.name for entry in home.logs.iterdir() if entry.is_dir() and entry.name != SUPERVISOR)
    except OSError:
        return []


def lost(home: StackHome, unit: str) -> int:
    """Return how many bytes of a unit's output were given up because the disk was full."""
    try:
        return archives.lost_in(home.logs / unit)
    except OSError:
        return 0


def files(home: StackHome, unit: str) -> list[Path]:
    """Return the logs of a unit, one a start, oldest first."""
    return sorted(path for path in (home.logs / unit).glob("*.log") if path.stem.isdecimal())


def history(
    home: StackHome,
    units: list[str],
    count: int | None,
    since: int | None = None,
    *,
    until: Mapping[str, Place] = _NOBODY,
) -> Iterator[tuple[str, str]]:
    """Yield (unit, line): the last `count` lines of each unit over its starts, None for all, in the order of time.

    A line without an instant of its own stands behind the line before it; those of a unit that writes none stand first.
    `since`, in nanoseconds since the epoch, leaves out what was written before: lines by their instants, a start that
    writes none by the instant of its last write. What stands behind the place of a unit in
    `until` is left to who reads on from there.
    """
    stamped = []
    for unit in units:
        written = _written_files(home, unit, until.get(unit))
        if count is None and since is None:
            stamped.append(_stamped(unit, (line for path, end in written for line in _whole(path, end))))
        else:
            stamped.append(_stamped(unit, _of_starts(written, count, since)))
    for _, unit, _, line in heapq.merge(*stamped):
        yield unit, line


def _stamped(unit: str, lines: Iterable[str]) -> Iterator[tuple[str, str, int, str]]:
    instant = ""
    for place, line in enumerate(lines):
        found = _INSTANT.match(line)
        instant = max(instant, found.group(1)) if found else instant
        yield instant, unit, place, line


def _written_files(home: StackHome, unit: str, until: Place | None) -> list[tuple[Path, int | None]]:
    """Return the logs of a unit, and where each ends for who reads it now."""
    paths = files(home, unit)
    if until is None:
        return [(path, None) for path in paths]
    last, offset = until
    return [(path, offset if path == last else None) for path in paths if last is not None and path <= last]


def _of_starts(written: list[tuple[Path, int | None]], count: int | None, since: int | None) -> list[str]:
    lines: list[str] = []
    for path, end in reversed(written):
        missing = None if count is None else count - len(lines)
        if missing == 0 or (since is not None and _last_written(path) < since):
            break
        found = tail(path, missing or 0, end) if since is None else _since(path, since, end)
        lines = [*found, *lines]
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
