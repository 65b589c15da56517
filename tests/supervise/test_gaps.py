"""What the events of a journal say about data that did not come."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.supervise.event import Event
from orchestrator.supervise.gaps import UNSUPERVISED, Channels, Gap, gaps

SECOND = 1_000_000_000


class Story:
    """Events of a stack, told in seconds."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def at(self, second: float, unit: str | None, what: str, text: str = "", **data: Any) -> Story:  # noqa: ANN401 - JSON
        self.events.append(Event(int(second * SECOND), unit, what, text, None, data or None))
        return self

    def climb(self, second: float, unit: str = "bf") -> Story:
        for what, text in (("start", ""), ("level", "started"), ("level", "live"), ("level", "connected")):
            self.at(second, unit, what, text)
        return self.at(second, unit, "level", "fresh")

    def gaps(self, *connectors: str) -> list[tuple[float, float | None, str, bool, bool]]:
        found = gaps(self.events, connectors)
        return [
            (gap.start / SECOND, None if gap.end is None else gap.end / SECOND, gap.cause, gap.planned, gap.known)
            for gap in found
        ]


def test_a_start_is_a_planned_gap_until_data_comes() -> None:
    story = Story().at(1, "bf", "wanted").at(2, "bf", "level", "live").at(4, "bf", "level", "fresh")

    assert story.gaps() == [(1, 4, "starting", True, True)]


def test_an_exit_opens_a_gap_that_the_first_fresh_look_closes() -> None:
    story = Story().climb(1).at(5, "bf", "exit", "SIGKILL").climb(5.25)

    assert story.gaps()[1:] == [(5, 5.25, "SIGKILL", False, True)]


def test_silence_is_counted_from_the_last_message_on() -> None:
    story = Story().climb(1).at(40, "bf", "level", "connected", silent=30 * SECOND, bots=1)

    assert story.gaps()[1:] == [(10, None, "no message", False, True)]


def test_silence_is_never_counted_from_before_the_channel_was_fresh() -> None:
    story = Story().climb(20).at(40, "bf", "level", "connected", silent=30 * SECOND, bots=1)

    assert story.gaps()[1:] == [(20, None, "no message", False, True)]


@pytest.mark.parametrize(
    ("level", "data", "cause"),
    [
        ("connected", {"silent": 0, "bots": 0}, "no bot is attached"),
        ("live", {"silent": 5 * SECOND, "bots": 1}, "its exchange stream is not connected"),
        ("started", {"silent": 5 * SECOND, "bots": 1}, "its channel is not open"),
        ("connected", {}, "no message"),
        ("connected", {"bots": 1, "quiet": False}, "no message"),
    ],
)
def test_a_level_that_is_lost_says_what_is_missing(level: str, data: dict[str, Any], cause: str) -> None:
    story = Story().climb(1).at(40, "bf", "level", level, **data)

    assert story.gaps()[1:] == [(40, None, cause, False, True)]


@pytest.mark.parametrize(
    ("what", "text", "planned"),
    [
        ("stopping", "stopped by the operator", True),
        ("stopping", "halted by alice at 2026-03-01T12:00:00Z: model", True),
        ("recycle", "changed: env", True),
        ("recycle", "proxy restarted", False),
        ("broken", "channel released", False),
    ],
)
def test_the_reason_of_a_stop_is_the_cause(what: str, text: str, planned: bool) -> None:  # noqa: FBT001 - of the table
    story = Story().climb(1).at(5, "bf", what, text).at(6, "bf", "exit", "exit 0").climb(7)

    assert story.gaps()[1:] == [(6, 7, text, planned, True)]


def test_staleness_says_more_than_the_level_that_was_lost() -> None:
    story = Story().climb(1).at(40, "bf", "level", "connected", silent=30 * SECOND, bots=1)
    story.at(40, "bf", "stale", "no message for 30 s").at(41, "bf", "broken", "stale: no message for 30 s")
    story.at(42, "bf", "exit", "exit 0").climb(43).at(50, "bf", "exit", "SIGKILL")

    assert story.gaps()[1:] == [(10, 43, "no message for 30 s", False, True), (50, None, "SIGKILL", False, True)]


def test_who_has_recovered_is_not_blamed_for_it_later() -> None:
    story = Story().climb(1).at(40, "bf", "stale", "fewer than 5 messages a second for 30 s").at(41, "bf", "recovered")
    story.at(50, "bf", "exit", "SIGKILL")

    assert story.gaps()[1:] == [(50, None, "SIGKILL", False, True)]


def test_silence_in_quiet_hours_is_planned() -> None:
    story = Story().climb(1).at(40, "bf", "level", "connected", silent=30 * SECOND, bots=1, quiet=True)

    assert story.gaps()[1:] == [(10, None, "no message, in quiet hours", True, True)]


def test_a_reason_does_not_outlive_the_stop_that_it_was_for() -> None:
    story = Story().climb(1).at(5, "bf", "recycle", "changed: env").at(6, "bf", "exit", "exit 0").climb(7)
    story.at(9, "bf", "exit", "SIGBUS")

    assert story.gaps()[-1] == (9, None, "SIGBUS", False, True)


def test_a_span_without_a_supervisor_is_a_gap_of_unknown_content() -> None:
    story = Story().climb(1).climb(1, "by").at(20, "by", "exit", "SIGKILL")
    story.at(60, None, "supervised").at(60, None, "unsupervised", "", since=50 * SECOND)
    story.at(60, "bf", "adopted", "pid 7").at(60, "bf", "level", "connected").at(61, "bf", "level", "fresh")

    assert story.gaps()[2:] == [(20, None, "SIGKILL", False, True), (50, 61, UNSUPERVISED, False, False)]


def test_a_span_whose_beginning_nobody_knows_begins_with_the_last_event() -> None:
    story = Story().climb(1).at(30, "mm", "exit", "exit 0").at(60, None, "unsupervised")

    assert story.gaps()[-1] == (30, None, UNSUPERVISED, False, False)


def test_a_unit_that_is_no_connector_has_no_gaps() -> None:
    story = Story().at(1, "mm", "start").at(2, "mm", "level", "ready").at(3, "mm", "exit", "exit 1").at(4, "x", "start")

    assert story.gaps() == []
    assert story.gaps("x") == [(4, None, "starting", True, True)]


def test_what_a_supervisor_takes_over_was_in_a_gap_until_it_is_seen_to_be_fresh() -> None:
    channels = Channels()
    story = (
        Story()
        .at(60, None, "unsupervised", "", since=50 * SECOND)
        .at(60, "bf", "adopted")
        .at(61, "bf", "level", "fresh")
    )
    closed = [gap for event in story.events for gap in channels.hear(event)]

    assert closed == [Gap("bf", 50 * SECOND, 61 * SECOND, UNSUPERVISED, known=False)]
    assert str(closed[0]) == "no fresh data for 11 s: nobody supervised it"
