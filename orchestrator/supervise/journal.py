"""The journal: every event, appended to SQLite by a thread of its own, so that a slow disk never delays a restart.

It is history. Losing it changes nothing that the supervisor does; what could not be written is counted.
"""

from __future__ import annotations

import json
import queue
import sqlite3
import threading
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Final

from orchestrator.supervise.event import Event

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ROOM: Final = 10_000
_LINGER: Final = 0.05
"""Seconds in which more events may join a batch: a restart makes several, and must not share the interpreter then."""

KEPT: Final = 200_000
"""Events that are kept at least; a tenth more before the oldest go."""

_PRUNE: Final = "DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?"
_CACHE: Final = 128
"""KiB of pages that SQLite keeps; who only appends needs few, and by default they would grow to 2 MiB."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    unit TEXT,
    what TEXT NOT NULL,
    text TEXT NOT NULL,
    pid INTEGER,
    data TEXT
)
"""
_INSERT: Final = "INSERT INTO events (at, unit, what, text, pid, data) VALUES (?, ?, ?, ?, ?, ?)"


def append(path: Path, event: Event, timeout: float = 2.0) -> None:
    """Write one event beside whoever writes, waiting `timeout` seconds at most for them. Raises OSError, sqlite3.Error.

    For what is done to a stack that nobody supervises.
    """
    with closing(sqlite3.connect(path, timeout=timeout, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        _prepare(connection)
        connection.execute(_INSERT, _row(event))


def read(path: Path) -> Iterator[Event]:
    """Yield every event, oldest first; none where there is no journal. Raises sqlite3.Error."""
    if not path.exists():
        return
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
        data = "data" if _has_data(connection) else "NULL"
        query = f"SELECT at, unit, what, text, pid, {data} FROM events ORDER BY id"  # noqa: S608 - of constants
        for at, unit, what, text, pid, kept in connection.execute(query):
            yield Event(at, unit, what, text, pid, _decoded(kept))


def _decoded(text: str | None) -> dict[str, Any] | None:
    try:
        found = None if text is None else json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _row(event: Event) -> tuple[int, str | None, str, str, int | None, str | None]:
    data = None if event.data is None else json.dumps(event.data, separators=(",", ":"))
    return event.at, event.unit, event.what, event.text, event.pid, data


def _prepare(connection: sqlite3.Connection) -> None:
    """Make the table, or give that of an older version what it lacks."""
    connection.execute(_SCHEMA)
    if not _has_data(connection):
        with suppress(sqlite3.OperationalError):  # somebody else did at the same moment
            connection.execute("ALTER TABLE events ADD COLUMN data TEXT")


def _has_data(connection: sqlite3.Connection) -> bool:
    return any(column[1] == "data" for column in connection.execute("PRAGMA table_info(events)"))


class Journal:
    """Append-only; `record` never blocks and never fails. Of the past, `kept` events are kept."""

    def __init__(self, path: Path, *, kept: int = KEPT) -> None:
        self._path = path
        self._kept = kept
        self._added = 0
        self._queue: queue.Queue[Event | None] = queue.Queue(_ROOM)
        self.lost = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def record(self, event: Event) -> None:
        """Queue an event; with the queue full it is counted as lost."""
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self.lost += 1

    def close(self, timeout: float = 5.0) -> None:
        """Write what is queued and end the thread, waiting at most `timeout` seconds."""
        self._closing.set()
        with suppress(queue.Full):
            self._queue.put(None, timeout=timeout)
        self._thread.join(timeout)

    def _run(self) -> None:
        connection = self._open()
        while True:
            first = self._queue.get()
            batch: list[Event] = []
            ended = first is None
            if first is not None:
                batch.append(first)
                self._closing.wait(_LINGER)
            while True:
                try:
                    event = self._queue.get_nowait()
                except queue.Empty:
                    break
                if event is None:
                    ended = True
                else:
                    batch.append(event)
            connection = self._write(connection, batch)
            if ended:
                if connection is not None:
                    connection.close()
                return

    def _open(self) -> sqlite3.Connection | None:
        for fresh in (False, True):
            if fresh:
                with suppress(OSError):
                    self._path.rename(self._path.with_name(f"{self._path.name}.damaged-{time.time_ns()}"))
            try:
                connection = sqlite3.connect(self._path, isolation_level=None)
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=NORMAL")
                connection.execute(f"PRAGMA cache_size=-{_CACHE}")
                _prepare(connection)
                connection.execute(_PRUNE, (self._kept,))
            except sqlite3.OperationalError:
                return None  # a full disk, or no right to write: the file itself may be sound
            except sqlite3.DatabaseError:
                continue
            else:
                return connection
        return None

    def _write(self, connection: sqlite3.Connection | None, batch: list[Event]) -> sqlite3.Connection | None:
        if not batch:
            return connection
        if connection is None:
            connection = self._open()
        if connection is None:
            self.lost += len(batch)
            return None
        try:
            connection.execute("BEGIN")
            connection.executemany(_INSERT, map(_row, batch))
            self._added += len(batch)
            if self._added > self._kept // 10:
                connection.execute(_PRUNE, (self._kept,))
                self._added = 0
            connection.execute("COMMIT")
        except sqlite3.Error:
            self.lost += len(batch)
            with suppress(sqlite3.Error):
                connection.close()
            return None
        return connection
