"""What happened, from the journal: it is read without the supervisor, and over its death."""

from __future__ import annotations

import sqlite3
import textwrap
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from orchestrator.errors import RefusedError
from orchestrator.observe.table import cut

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_POLL: Final = 0.1
_BATCH: Final = 1000
_NARROW: Final = 72
"""Columns below which the date is left out."""

_LEAST_TEXT: Final = 12


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the journal. `row` is its place there, `at` nanoseconds since the epoch; no `unit`: the stack."""

    row: int
    at: int
    unit: str | None
    what: str
    text: str
    pid: int | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are meant: those of `units`, none for all, since an instant in nanoseconds since the epoch."""

    units: tuple[str, ...] = ()
    since: int = 0


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a journal: behind the row `row` of the file with the inode `inode`, 0 when there was none."""

    inode: int = 0
    row: int = 0


def now_at(path: Path) -> Position:
    """Return the end of the journal. Raises RefusedError when it cannot be read."""
    inode = _inode(path)
    if not inode:
        return Position()
    try:
        with closing(_open(path)) as journal:
            return Position(inode, journal.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()[0])
    except sqlite3.Error as error:
        raise damaged(path, error) from None


def history(path: Path, wanted: Wanted, end: Position, count: int | None = None) -> Iterator[Event]:
    """Yield the events up to `end`, the last `count` of them, None for all. Raises RefusedError as `now_at`."""
    if not end.inode:
        return
    query, values = _query(wanted, "id <= ?", end.row)
    if count is not None:
        query, values = f"SELECT * FROM ({query} ORDER BY id DESC LIMIT ?)", [*values, count]  # noqa: S608 - of constants
    try:
        with closing(_open(path)) as journal:
            cursor = journal.execute(f"{query} ORDER BY id", values)
            while rows := cursor.fetchmany(_BATCH):
                yield from (Event(*row) for row in rows)
    except sqlite3.Error as error:
        raise damaged(path, error) from None


def follow(path: Path, wanted: Wanted, begin: Position) -> Iterator[list[Event]]:
    """Yield the events behind `begin`, each once, for ever: what has come meanwhile, perhaps nothing.

    The journal is the only source, by its rows, so that a supervisor's end and the next one's beginning lose and repeat
    nothing. One that was replaced because it was damaged is read from its own beginning.
    """
    position = begin
    while True:
        inode = _inode(path)
        if inode and inode != position.inode:
            position = Position(inode)
        if not inode:
            yield []
            time.sleep(_POLL)
            continue
        try:
            with closing(_open(path)) as journal:
                for events in _following(journal, path, wanted, position):
                    if events:
                        position = Position(inode, events[-1].row)
                    yield events
        except sqlite3.Error:
            yield []  # the supervisor replaces what is damaged
            time.sleep(_POLL)


def _following(journal: sqlite3.Connection, path: Path, wanted: Wanted, position: Position) -> Iterator[list[Event]]:
    """Yield what comes, as long as the journal at the path is this one."""
    row, version = position.row, None
    while _inode(path) == position.inode:
        found: list[Event] = []
        seen = journal.execute("PRAGMA data_version").fetchone()[0]
        if seen != version:
            version = seen
            query, values = _query(wanted, "id > ?", row)
            found = [Event(*columns) for columns in journal.execute(f"{query} ORDER BY id", values)]
            row = found[-1].row if found else row
        yield found
        time.sleep(_POLL)


def units(path: Path) -> tuple[str, ...]:
    """Return the units that the journal names, sorted. Raises RefusedError as `now_at`."""
    if not path.exists():
        return ()
    try:
        with closing(_open(path)) as journal:
            found = journal.execute("SELECT DISTINCT unit FROM events WHERE unit IS NOT NULL ORDER BY unit").fetchall()
    except sqlite3.Error as error:
        raise damaged(path, error) from None
    return tuple(name for (name,) in found)


def _query(wanted: Wanted, bound: str, row: int) -> tuple[str, list[Any]]:
    conditions, values = [bound, "at >= ?"], [row, wanted.since]
    if wanted.units:
        conditions.append(f"unit IN ({', '.join('?' * len(wanted.units))})")
    query = f"SELECT id, at, unit, what, text, pid FROM events WHERE {' AND '.join(conditions)}"  # noqa: S608 - of constants
    return query, [*values, *wanted.units]


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def damaged(path: Path, error: sqlite3.Error) -> RefusedError:
    """Return the error for a journal that cannot be read."""
    return RefusedError(
        f"the journal cannot be read: {error}", where=str(path), hint="the supervisor begins another one when it starts"
    )


def as_json(event: Event) -> dict[str, Any]:
    """Return an event as `events --format json` has it: `at` in RFC 3339, UTC."""
    return {"at": instant(event.at), "unit": event.unit, "what": event.what, "text": event.text, "pid": event.pid}


def instant(nanoseconds: int) -> str:
    """Return nanoseconds since the epoch as RFC 3339 in UTC, to the millisecond."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1_000_000:03}Z"


def lines(event: Event, names: Sequence[str], width: int | None) -> list[str]:
    """Return an event for people: one line, or several where the terminal's `width` is less; None is no terminal.

    `names` are the units that may come, for the columns to stand still.
    """
    at = instant(event.at)
    if width is not None and width < _NARROW:
        at = at[11:19]
    unit = (event.unit or "-").ljust(max(map(len, names), default=0))
    head = f"{at}  {unit}  {_printable(event.what)}"
    text = _printable(event.text)
    if not text:
        return [cut(head, width)]
    if width is None or len(head) + 2 + len(text) <= width:
        return [f"{head}  {text}"]
    indent = " " * (len(at) + 2)
    if width - len(indent) < _LEAST_TEXT:
        return [cut(f"{head}  {text}", width)]
    return [cut(head, width), *textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent)]


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
