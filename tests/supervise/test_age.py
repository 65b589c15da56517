from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from orchestrator.deployment.model import Restart, Window
from orchestrator.supervise.age import Member, turn

HOUR = 3600.0
NIGHT = Window(3 * 3600, 4 * 3600)
MIDNIGHT = 20_000 * 86_400.0


def member(name: str, hours: float | None, *, venue: str = "binancefutures", window: Window | None = None) -> Member:
    """Return a unit that is up, with a `max_age` of 23 hours."""
    age = None if hours is None else hours * HOUR
    return Member(name, venue, Restart(max_age=23 * HOUR, window=window), age, up=True)


def test_nobody_is_asked_again_where_nothing_has_an_age() -> None:
    found = turn([replace(member("bf", 1000), restart=Restart())], MIDNIGHT)
    assert (found.due, found.again) == ((), None)


def test_one_that_is_old_enough_is_due() -> None:
    assert turn([member("bf", 23)], MIDNIGHT).due == ("bf",)


@pytest.mark.parametrize(("hours", "again"), [(22.99, 36.0), (1, 60.0), (None, 60.0)])
def test_one_that_is_not_is_looked_at_when_it_will_be_and_within_a_minute(hours: float | None, again: float) -> None:
    found = turn([member("bf", hours)], MIDNIGHT)
    assert found.due == ()
    assert found.again == pytest.approx(again)


def test_one_that_is_not_up_is_left_alone() -> None:
    found = turn([replace(member("bf", 30), up=False)], MIDNIGHT)
    assert (found.due, found.held) == ((), ())
    assert found.again is not None


@pytest.mark.parametrize(
    ("window", "hour", "due"),
    [
        (NIGHT, 2.99, False),
        (NIGHT, 3.0, True),
        (NIGHT, 3.99, True),
        (NIGHT, 4.0, False),
        (NIGHT, 15.0, False),
        (Window(82_800, 3600), 23.5, True),
        (Window(82_800, 3600), 0.5, True),
        (Window(82_800, 3600), 1.0, False),
        (Window(0, 86_400), 12.0, True),
        (Window(7200, 7200), 12.0, True),
    ],
)
def test_a_window_is_a_part_of_the_day_and_may_go_over_midnight(window: Window, hour: float, *, due: bool) -> None:
    assert bool(turn([member("bf", 40, window=window)], MIDNIGHT + hour * HOUR).due) is due


@pytest.mark.parametrize(
    ("days", "age", "due"),
    [
        (0.9, 0.5, True),  # the next window opens when it is a day and a half old
        (3, 1.9, False),
        (3, 2.1, True),
        (3, 30, True),
        (0.1, 0.4 / 24, False),  # it was started in this very window
    ],
)
def test_with_a_window_one_is_restarted_in_the_last_that_opens_before_it_is_too_old(
    days: float, age: float, *, due: bool
) -> None:
    restart = Restart(max_age=days * 24 * HOUR, window=NIGHT)
    unit = Member("bf", "binancefutures", restart, age * 24 * HOUR, up=True)
    assert bool(turn([unit], MIDNIGHT + 3.5 * HOUR).due) is due


def test_with_a_window_a_day_nothing_that_takes_its_turn_gets_older_than_a_day_and_the_window() -> None:
    restart = Restart(max_age=23 * HOUR, window=NIGHT)
    started = dict.fromkeys("abc", MIDNIGHT + 12 * HOUR)
    restarts = []
    now = MIDNIGHT + 12 * HOUR
    while now < MIDNIGHT + 10 * 24 * HOUR:
        found = turn([Member(name, "bf", restart, now - at, up=True) for name, at in started.items()], now)
        for name in found.due:
            restarts.append(now - started[name])
            started[name] = now
        assert found.again is not None
        now += max(found.again, 0.001)
    assert len(restarts) == 3 * 9
    assert max(restarts) <= 25 * HOUR
    assert min(restarts) >= 15 * HOUR


def test_before_its_window_one_is_looked_at_when_that_opens() -> None:
    found = turn([member("bf", 40, window=NIGHT)], MIDNIGHT + 3 * HOUR - 20)
    assert found.due == ()
    assert found.again == pytest.approx(20)


def test_the_oldest_of_a_venue_is_first_and_alone() -> None:
    members = [member("a", 23), member("b", 24), member("c", 23.5, venue="bybit")]
    assert turn(members, MIDNIGHT).due == ("b", "c")


def test_while_another_of_its_venue_is_not_up_one_is_held_and_that_is_said() -> None:
    members = [member("a", 23), replace(member("b", None), up=False), member("c", 23, venue="bybit")]
    found = turn(members, MIDNIGHT)
    assert (found.due, found.held) == (("c",), (("a", "b"),))


@pytest.mark.parametrize(("seconds", "due", "again"), [(59.0, (), 1.0), (60.0, ("a",), 1.0), (10.0, (), 50.0)])
def test_the_next_of_a_venue_comes_a_minute_after_the_last_start(
    seconds: float, due: tuple[str, ...], again: float
) -> None:
    found = turn([member("a", 23), member("b", seconds / HOUR)], MIDNIGHT)
    assert found.due == due
    assert found.again == pytest.approx(again)


def test_a_short_age_makes_the_distance_shorter() -> None:
    short = Restart(max_age=5.0)
    members = [Member("a", "sim", short, 5.0, up=True), Member("b", "sim", short, 0.4, up=True)]
    assert turn(members, MIDNIGHT).due == ()
    assert turn([members[0], replace(members[1], age=0.5)], MIDNIGHT).due == ("a",)


def test_no_step_of_the_wall_clock_makes_a_young_one_old() -> None:
    patient = Member("b", "binancefutures", Restart(max_age=30 * HOUR, window=NIGHT), HOUR, up=True)
    for hours in range(-100, 100):
        assert turn([member("a", 22), patient], MIDNIGHT + hours * HOUR).due == ()


def test_a_day_of_ten_connectors_restarts_each_once_and_never_two_together() -> None:
    started = dict.fromkeys("abcdefghij", 0.0)
    restarts: list[tuple[float, str]] = []
    climbing: dict[str, float] = {}
    now = 0.0
    while now < 26 * HOUR:
        for name in [name for name, until in climbing.items() if until <= now]:
            del climbing[name]
        members = [
            Member(name, "bf", Restart(max_age=23 * HOUR), now - at, up=name not in climbing)
            for name, at in started.items()
        ]
        found = turn(members, now)
        assert len(found.due) + len(climbing) <= 1
        for name in found.due:
            restarts.append((now, name))
            started[name] = now + 5.0
            climbing[name] = now + 6.0
        assert found.again is not None
        now += max(found.again, 0.001)
    assert sorted(name for _, name in restarts) == list("abcdefghij")
    assert all(later - earlier >= 60.0 for (earlier, _), (later, _) in pairwise(restarts))
