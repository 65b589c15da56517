from __future__ import annotations

import sqlite3
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

from orchestrator.supervise.event import Event
from orchestrator.supervise.journal import Journal, append, read
from tests.children import until

if TYPE_CHECKING:
    from pathlib import Path


def _event(number: int) -> Event:
    return Event(number, "bf" if number else None, "level", f"text {number}", 100 + number)


def _rows(path: Path) -> list[tuple[int, str | None, str, str, int]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT at, unit, what, text, pid FROM events ORDER BY id").fetchall()


def _last(path: Path) -> int | None:
    """Return when the newest event was, None while there is no table yet."""
    with suppress(sqlite3.OperationalError):
        return next((row[0] for row in reversed(_rows(path))), None)
    return None


def test_events_are_kept_in_order_over_several_lives(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    for life in range(3):
        journal = Journal(path)
        for number in range(life * 100, life * 100 + 100):
            journal.record(_event(number))
        journal.close()
        assert journal.lost == 0
    assert [row[0] for row in _rows(path)] == list(range(300))
    assert _rows(path)[0] == (0, None, "level", "text 0", 100)


def test_the_oldest_events_go_while_it_is_written_and_the_file_stays_as_large_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = Journal(path, kept=1000)
    sizes = []
    for number in range(10_000):
        journal.record(_event(number))
        if number % 100 == 99:
            until(lambda number=number: _last(path) == number)  # type: ignore[misc]
            sizes.append(path.stat().st_size)
    assert 1000 <= len(_rows(path)) <= 1200
    journal.close()
    assert journal.lost == 0
    assert _rows(path)[-1][0] == 9999
    assert max(sizes[50:]) <= max(sizes[:50])


@pytest.mark.parametrize("damage", [b"", b"no database at all " * 1000, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_file_is_put_aside_and_history_begins_anew(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(damage)
    journal = Journal(path)
    journal.record(_event(1))
    journal.close()
    assert journal.lost == 0
    assert len(_rows(path)) == 1
    if damage:
        assert [file.read_bytes() for file in tmp_path.glob("journal.db.damaged-*")] == [damage]


def test_what_cannot_be_written_is_counted_and_nothing_is_put_aside(tmp_path: Path) -> None:
    folder = tmp_path / "missing"
    journal = Journal(folder / "journal.db")
    for number in range(10):
        journal.record(_event(number))
    journal.close()
    assert journal.lost == 10
    assert not folder.exists()


def test_a_locked_database_costs_no_history(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    first = Journal(path)
    first.record(_event(1))
    first.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        journal = Journal(path)
        journal.record(_event(2))
        other.execute("COMMIT")
        journal.close()
    assert [row[0] for row in _rows(path)] == [1, 2]
    assert list(tmp_path.glob("*.damaged-*")) == []


def test_recording_never_waits_for_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    Journal(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        journal = Journal(path)
        recorded = threading.Event()

        def record() -> None:
            for number in range(20_000):
                journal.record(_event(number))
            recorded.set()

        thread = threading.Thread(target=record)
        thread.start()
        # the database is still locked: whoever records got through all the same
        assert recorded.wait(20)
        other.execute("COMMIT")
        thread.join()
        journal.close()
    assert journal.lost + len(_rows(path)) == 20_000
    assert journal.lost >= 9_000


def test_what_an_event_keeps_for_programs_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    event = Event(7, "bf", "level", "connected", 12, {"silent": 30, "bots": 1})
    append(path, event)

    assert list(read(path)) == [event]


def test_a_journal_of_an_older_version_is_read_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.execute(
            "CREATE TABLE events (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, unit TEXT, what TEXT NOT NULL,"
            " text TEXT NOT NULL, pid INTEGER)"
        )
        old.execute("INSERT INTO events (at, unit, what, text, pid) VALUES (1, 'bf', 'start', '', 7)")
    before = Event(1, "bf", "start", "", 7)
    assert list(read(path)) == [before]
    journal = Journal(path)
    after = Event(2, "bf", "level", "live", 7, {"bots": 0})
    journal.record(after)
    journal.close()

    assert journal.lost == 0
    assert list(read(path)) == [before, after]


def test_somebody_else_writes_beside_the_supervisor(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = Journal(path)
    journal.record(_event(1))
    append(path, Event(2, None, "halt", "by alice", None))
    journal.record(_event(3))
    journal.close()

    assert journal.lost == 0
    assert sorted(event.at for event in read(path)) == [1, 2, 3]


def test_no_journal_holds_no_events(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    assert list(read(path)) == []
