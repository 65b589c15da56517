"""Rules of one unit that no sequence through the whole machine would miss, each held by itself."""

from __future__ import annotations

import pytest

from orchestrator.deployment.model import Level
from orchestrator.supervise.graph import Graph
from orchestrator.supervise.graph import step as step_graph
from orchestrator.supervise.unit import (
    Excused,
    Exited,
    Held,
    Note,
    Observed,
    Release,
    Revive,
    Spawn,
    Spread,
    State,
    Tick,
    Unit,
    step,
)
from tests.supervise.specs import bot, connector


def test_a_unit_whose_process_lives_is_never_given_a_second_one() -> None:
    unit = Unit(State.WAITING, wanted=True, alive=True, born=1)
    after, actions = step(unit, connector("bf"), Release(2), 1.0)
    assert after == unit
    assert not [action for action in actions if isinstance(action, Spawn)]


def test_the_retries_of_a_start_are_forgotten_once_the_unit_is_up() -> None:
    unit = Unit(State.STARTING, wanted=True, alive=True, retries=3)
    after, _ = step(unit, connector("bf"), Observed(Level.CONNECTED), 1.0)
    assert (after.state, after.retries) == (State.UP, 0)


@pytest.mark.parametrize("state", [State.FAILED, State.FINISHED, State.BACKOFF])
def test_what_nobody_wants_is_not_revived_by_the_death_of_its_dependency(state: State) -> None:
    unit = Unit(state, died=0.5)
    after, _ = step(unit, bot("mm", "bf"), Revive("bf died with it"), 1.0)
    assert after.state is state


def test_a_connector_that_runs_waits_for_no_prober() -> None:
    unit = Unit(State.STARTING, wanted=True, alive=True, died=0.5, window=(0.5,), failures=1)
    after, _ = step(unit, connector("bf"), Excused("one incident", "by"), 1.0)
    assert (after.prober, after.window) == (None, ())


def test_an_incident_gives_back_what_its_own_failure_cost_and_no_earlier_one() -> None:
    unit = Unit(State.WAITING, wanted=True, died=0.9, retries=1, window=(0.2,), failures=1)
    after, _ = step(unit, connector("bf"), Excused("one incident", "by", 0.5), 1.0)
    assert (after.prober, after.spread, after.window, after.failures) == ("by", 0.5, (0.2,), 1)


def test_a_retry_that_was_put_off_after_an_incident_has_its_whole_startup_from_then_on() -> None:
    bf = connector("bf")
    unit = Unit(State.WAITING, wanted=True, since=1.0, climb=0.0, retries=2, spread=0.5)
    for event, now in ((Spread(), 20.0), (Tick(), 20.5), (Release(7), 20.5)):
        unit, _ = step(unit, bf, event, now)
    assert (unit.state, unit.retries, unit.spread) == (State.STARTING, 2, 0.0)
    assert unit.deadline == 20.5 + bf.health.startup


def test_a_start_that_is_held_again_for_the_same_reason_is_told_once() -> None:
    unit = Unit(State.WAITING, wanted=True)
    held = Held("too many starts for fstream.example.com", 2.0)
    after, told = step(unit, connector("bf"), held, 1.0)
    _, again = step(after, connector("bf"), held, 3.0)
    assert told == (Note("held", held.reason),)
    assert again == ()


def test_a_bot_that_attached_to_the_new_connector_and_dies_within_a_second_has_failed_by_itself() -> None:
    bf, mm = connector("bf"), bot("mm", "bf")
    units = {
        "bf": Unit(State.UP, wanted=True, alive=True, born=2, running=bf, level=Level.CONNECTED, died=0.5),
        "mm": Unit(State.UP, wanted=True, alive=True, born=3, running=mm, level=Level.READY),
    }
    graph, _ = step_graph(Graph({"bf": bf, "mm": mm}, units, births=3), "mm", Exited(1), 1.0)
    assert graph.units["mm"].state is State.FAILED
