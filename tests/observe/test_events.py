"""Reading a journal that a supervisor writes, has written, or has replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.errors import RefusedError
from orchestrator.observe import events
from orchestrator.observe.events import Event, Position, Wanted
from orchestrator.supervise.event import Event as Recorded
from orchestrator.supervise.journal import Journal
from tests.children import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SECOND = 1_000_000_000


def _write(path: Path, *numbers: int, unit: str | None = "bf") -> None:
    journal = Journal(path)
    for number in numbers:
        journal.record(Recorded(number * _SECOND, unit, "exit", f"exit {number}", number))
    journal.close()
    assert journal.lost == 0


def _texts(found: Iterator[Event]) -> list[str]:
    return [event.text for event in found]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal ?#%.db"


def test_the_last_ones_come_in_their_order(path: Path) -> None:
    _write(path, 1, 2, 3)
    end = events.now_at(path)

    assert _texts(events.history(path, Wanted(), end)) == ["exit 1", "exit 2", "exit 3"]
    assert _texts(events.history(path, Wanted(), end, 2)) == ["exit 2", "exit 3"]
    assert _texts(events.history(path, Wanted(), end, 0)) == []


def test_only_those_of_some_units_since_an_instant_are_shown(path: Path) -> None:
    _write(path, 1, 2)
    _write(path, 3, unit="mm")
    _write(path, 4, unit=None)
    end = events.now_at(path)

    assert _texts(events.history(path, Wanted(("bf", "mm")), end, 2)) == ["exit 2", "exit 3"]
    assert _texts(events.history(path, Wanted(since=3 * _SECOND), end)) == ["exit 3", "exit 4"]
    assert events.units(path) == ("bf", "mm")


def test_what_comes_after_the_end_is_left_to_who_follows(path: Path) -> None:
    _write(path, 1)
    end = events.now_at(path)
    _write(path, 2)

    assert _texts(events.history(path, Wanted(), end)) == ["exit 1"]
    assert _texts(iter(next(events.follow(path, Wanted(), end)))) == ["exit 2"]


def test_a_journal_that_is_not_there_yet_is_empty_and_followed_from_its_beginning(path: Path) -> None:
    end = events.now_at(path)
    assert (end, _texts(events.history(path, Wanted(), end)), events.units(path)) == (Position(), [], ())
    following = events.follow(path, Wanted(), end)
    assert next(following) == []
    _write(path, 1)
    found: list[Event] = []

    def has_come() -> bool:
        found.extend(next(following))
        return bool(found)

    until(has_come)
    assert _texts(iter(found)) == ["exit 1"]


def test_one_that_was_replaced_is_followed_from_its_beginning(path: Path) -> None:
    _write(path, 1, 2, 3)
    following = events.follow(path, Wanted(), events.now_at(path))
    assert next(following) == []
    for file in path.parent.iterdir():
        file.rename(path.with_name(f"{file.name}.damaged"))
    _write(path, 4)
    found: list[Event] = []

    def has_come() -> bool:
        found.extend(next(following))
        return bool(found)

    until(has_come)
    assert _texts(iter(found)) == ["exit 4"]


def test_while_it_is_followed_it_can_be_written_and_each_event_comes_once(path: Path) -> None:
    _write(path, 1)
    following = events.follow(path, Wanted(), events.now_at(path))
    found: list[Event] = []
    for number in range(2, 12):
        _write(path, number)
        found.extend(next(following))

    def has_come() -> bool:
        found.extend(next(following))
        return len(found) >= 10

    until(has_come)
    assert _texts(iter(found)) == [f"exit {number}" for number in range(2, 12)]


def test_a_damaged_one_is_refused_by_name_and_followed_until_it_is_replaced(path: Path) -> None:
    path.write_bytes(b"not a database at all, by any means" * 100)
    for read in (events.now_at, events.units):
        with pytest.raises(RefusedError, match="the journal cannot be read"):
            read(path)
    assert next(events.follow(path, Wanted(), Position())) == []


def test_as_json_it_keeps_its_promise_to_scripts() -> None:
    told = events.as_json(Event(7, 1_700_000_000_123_456_789, None, "supervised", "2 units adopted", None))

    assert told == {
        "at": "2023-11-14T22:13:20.123Z",
        "unit": None,
        "what": "supervised",
        "text": "2 units adopted",
        "pid": None,
    }


def test_for_people_it_is_a_line_or_as_many_as_the_terminal_needs() -> None:
    event = Event(7, 1_700_000_000_123_456_789, "bf", "backoff", "exit 3; next start in 0.4 s and later ones after", 1)

    assert events.lines(event, ["bf", "watcher"], None) == [
        "2023-11-14T22:13:20.123Z  bf       backoff  exit 3; next start in 0.4 s and later ones after"
    ]
    assert events.lines(event, ["bf", "watcher"], 40) == [
        "22:13:20  bf       backoff",
        "          exit 3; next start in 0.4 s",
        "          and later ones after",
    ]
    for width in range(1, 60):
        assert all(len(line) <= width for line in events.lines(event, ["bf"], width))


def test_what_could_move_the_cursor_is_not_printed() -> None:
    event = Event(1, 0, "bf", "refused", "held by pid 7 (\x1b[2Jx\ny)", None)

    assert events.lines(event, ["bf"], None)[0].endswith("held by pid 7 (�[2Jx�y)")
