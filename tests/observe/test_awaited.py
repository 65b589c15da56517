from __future__ import annotations

from typing import Any

import pytest

from orchestrator.observe.awaited import Awaited, Progress, progress, rows
from tests.observe.objects import channel, unit


def _mm(**told: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return unit("mm", "bot", depends_on=["bf"], **told)


def _down(name: str, state: str, **told: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return unit(name, **{"state": state, "level": None, "pid": None, "reached": False, **told})


@pytest.mark.parametrize(
    ("level", "there"),
    [
        ("started", {"started"}),
        ("live", {"started", "live"}),
        ("connected", {"started", "live", "connected"}),
        ("fresh", {"started", "live", "connected", "fresh"}),
    ],
)
def test_a_rung_is_reached_from_any_higher_one(level: str, there: set[str]) -> None:
    for awaited in ("started", "live", "connected", "fresh"):
        found = progress([unit(level=level)], ["bf"], Awaited(awaited))
        assert bool(found.reached) == (awaited in there)
        assert found.hopeless == ()


def test_without_names_all_that_are_wanted_are_waited_for() -> None:
    units = [unit(), _down("by", "stopped", wanted=False, reached=True), _mm()]

    assert progress(units, [], Awaited.READY).reached == ("bf", "mm")
    assert progress(units, [], Awaited.CONNECTED).reached == ("bf",)


def test_stopped_is_for_all_there_are_and_holds_only_without_a_process() -> None:
    units = [unit(), _down("by", "stopped", wanted=False), _down("bz", "failed"), _mm(state="stopping")]
    found = progress(units, [], Awaited.STOPPED)

    assert (found.reached, found.missing, found.is_over) == (("by", "bz"), ("bf", "mm"), False)


def test_a_unit_between_two_starts_is_not_stopped() -> None:
    assert progress([_down("bf", "backoff")], [], Awaited.STOPPED).missing == ("bf",)


@pytest.mark.parametrize("state", ["failed", "stopped"])
def test_what_stays_down_is_not_waited_for_nor_what_waits_for_it(state: str) -> None:
    units = [_down("bf", state), _down("mm", "waiting", waits_for=["bf"]), _down("nn", "waiting", waits_for=["mm"])]
    found = progress(units, ["nn"], Awaited.READY)

    assert (found.missing, found.hopeless, found.is_over) == (("nn",), ("nn",), True)


def test_what_is_on_its_way_is_waited_for() -> None:
    units = [_down("bf", "backoff"), _down("mm", "waiting", waits_for=["bf"])]
    found = progress(units, [], Awaited.READY)

    assert (found.missing, found.hopeless, found.is_over) == (("bf", "mm"), (), False)


def test_a_finished_bot_is_ready_but_an_operators_stop_is_not() -> None:
    units = [_mm(state="finished", level=None, pid=None), _down("nn", "stopped", wanted=False, reached=True)]
    found = progress(units, ["mm", "nn"], Awaited.READY)

    assert (found.reached, found.hopeless) == (("mm",), ("nn",))
    assert progress(units, ["mm"], Awaited.STARTED).reached == ("mm",)


def test_a_unit_that_is_being_stopped_stands_on_no_rung() -> None:
    assert progress([unit(state="stopping", level="fresh")], ["bf"], Awaited.LIVE).missing == ("bf",)


def test_a_unit_that_left_the_stack_will_not_come() -> None:
    found = progress([unit()], ["nn"], Awaited.READY)

    assert (found.hopeless, rows(found)) == (("nn",), [("nn", "gone", "-", "it is not in the stack any more")])


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"state": "waiting", "level": None, "waits_for": ["base"]}, "waits for base"),
        ({"state": "failed", "why": "exit 3"}, "exit 3"),
        ({"channel": channel(bots=[])}, "no bot is attached, so no message moves"),
        ({"channel": channel()}, "messages do not move"),
    ],
)
def test_what_is_missing_is_told_with_its_reason(told: dict[str, Any], why: str) -> None:
    found = unit(**told)
    told_of = rows(Progress((), ("bf",), (), (found,)))

    assert told_of == [("bf", found["state"], found["level"] or "-", why)]
