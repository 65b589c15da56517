from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.deployment.model import Health, Quiet
from orchestrator.supervise.freshness import Signs, loud, silence

HEALTH = Health(stale_after=30.0, first_message=10.0, min_rate=5.0)
DAY = 86_400
WEEK = 7 * DAY


@pytest.mark.parametrize(
    ("signs", "reason"),
    [
        (Signs(), None),
        (Signs(attached=90.1), None),
        (Signs(attached=90.0), "no message within 10 s of a bot's attaching"),
        (Signs(attached=0.0, moved=70.1), None),
        (Signs(attached=0.0, moved=70.0), "no message for 30 s"),
        (Signs(attached=0.0, moved=100.0, slow=70.1), None),
        (Signs(attached=0.0, moved=100.0, slow=70.0), "fewer than 5 messages a second for 30 s"),
        (Signs(cut=70.1), None),
        (Signs(cut=70.0), "its connection to the exchange has been gone for 30 s"),
        (Signs(attached=0.0, moved=100.0, cut=70.0), "its connection to the exchange has been gone for 30 s"),
        (Signs(moved=1.0, slow=1.0), None),
    ],
)
def test_a_channel_is_stale_when_nothing_moves_for_long_enough_and_somebody_would_notice(
    signs: Signs, reason: str | None
) -> None:
    assert silence(signs, HEALTH, 100.0) == reason


def test_without_a_deadline_of_its_own_the_first_message_has_as_long_as_the_next() -> None:
    health = Health(stale_after=30.0)
    assert silence(Signs(attached=70.1), health, 100.0) is None
    assert silence(Signs(attached=70.0), health, 100.0) == "no message within 30 s of a bot's attaching"


@pytest.mark.parametrize("signs", [Signs(attached=0.0), Signs(attached=0.0, moved=1.0), Signs(cut=1.0)])
def test_in_quiet_hours_nothing_is_stale_and_after_them_patience_begins_anew(signs: Signs) -> None:
    assert silence(signs, HEALTH, 100.0, loud=0.0) is None
    assert silence(signs, HEALTH, 100.0, loud=9.9) is None
    assert silence(signs, HEALTH, 100.0, loud=30.0) is not None


@pytest.mark.parametrize(
    ("quiet", "at", "expected"),
    [
        ((), "2026-11-25 12:00", math.inf),
        ((Quiet(4 * DAY + 21 * 3600, 6 * DAY + 22 * 3600),), "2026-11-27 20:59", 6 * DAY - 49 * 3600 + DAY - 60),
        ((Quiet(4 * DAY + 21 * 3600, 6 * DAY + 22 * 3600),), "2026-11-27 21:00", 0.0),
        ((Quiet(4 * DAY + 21 * 3600, 6 * DAY + 22 * 3600),), "2026-11-29 21:59", 0.0),
        ((Quiet(4 * DAY + 21 * 3600, 6 * DAY + 22 * 3600),), "2026-11-29 22:00", 0.0 + 0),
        ((Quiet(6 * DAY, DAY),), "2026-11-30 23:59", 0.0),
        ((Quiet(DAY, DAY + 3600), Quiet(0, 3600)), "2026-11-24 02:00", 3600.0),
        ((Quiet(0, 3600), Quiet(DAY, DAY + 3600)), "2026-11-24 02:00", 3600.0),
        ((Quiet(6 * DAY, DAY),), "2026-12-01 00:05", 300.0),
        ((Quiet(0, 60), Quiet(2 * DAY, 2 * DAY + 60)), "2026-11-25 00:02", 60.0),
    ],
)
def test_a_quiet_time_comes_every_week_and_may_go_over_its_end(
    quiet: tuple[Quiet, ...], at: str, expected: float
) -> None:
    wall = datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()
    assert loud(quiet, wall) == pytest.approx(expected)


@given(begin=st.integers(0, WEEK - 1), length=st.integers(1, WEEK - 1), second=st.integers(0, 2 * WEEK))
def test_a_second_of_the_week_is_quiet_or_so_long_after_it(begin: int, length: int, second: int) -> None:
    monday = datetime(2026, 11, 23, tzinfo=UTC).timestamp()
    found = loud((Quiet(begin, (begin + length) % WEEK),), monday + second)
    into = (second - begin) % WEEK
    assert found == (0.0 if into < length else into - length)
