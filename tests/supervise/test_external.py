from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from orchestrator.deployment.model import Level, OnRestart
from orchestrator.supervise import external
from orchestrator.supervise import graph as graphs
from orchestrator.supervise.graph import Graph
from orchestrator.supervise.unit import (
    Appeared,
    Begin,
    Broken,
    Exited,
    LetGo,
    Note,
    Observed,
    Recycle,
    Release,
    Revive,
    Start,
    State,
    Stop,
    Tick,
    Unit,
    Unseen,
)
from tests.supervise import specs
from tests.supervise.specs import bot, connector, deployment, on_restart, service, startup

if TYPE_CHECKING:
    from orchestrator.deployment.model import UnitSpec
    from orchestrator.supervise.graph import Todo
    from orchestrator.supervise.unit import Action, Event

BY = specs.external("by")


class _Stage:
    """A stack on a clock of its own; `done` is what was asked for since it was last looked at, notes left out."""

    def __init__(self, *units: UnitSpec) -> None:
        self.now = 100.0
        self.graph = Graph()
        self.todo: list[tuple[str, Action]] = []
        self.apply(*units)

    def apply(self, *units: UnitSpec) -> None:
        self._take(graphs.apply(self.graph, deployment(*units), self.now))

    def on(self, name: str, *events: Event, after: float = 0.0) -> None:
        self.now += after
        for event in events:
            self._take(graphs.step(self.graph, name, event, self.now))

    def reach(self, name: str) -> None:
        self.on(name, Observed(self.graph.used(name).target))

    def appear(self, name: str) -> None:
        self.on(name, Appeared(), Observed(Level.STARTED))
        self.reach(name)

    def exits(self, name: str, code: int | None = 0, *, after: float = 0.0) -> None:
        self.on(name, Exited(code), after=after)

    def stop(self) -> None:
        self._take(graphs.stop(self.graph, list(self.graph.units), "down", self.now))

    def _take(self, outcome: tuple[Graph, Todo]) -> None:
        self.graph, todo = outcome
        self.todo += [(name, action) for name, action in todo if not isinstance(action, Note)]

    def done(self) -> list[str]:
        """Return `NAME ACTION` of what was asked for since the last call."""
        done = [f"{name} {type(action).__name__}" for name, action in self.todo]
        self.todo.clear()
        return done

    def unit(self, name: str) -> Unit:
        return self.graph.units[name]

    def states(self) -> dict[str, str]:
        return {name: unit.state.value for name, unit in self.graph.units.items()}


def _up(*more: UnitSpec, by: UnitSpec = BY) -> _Stage:
    stage = _Stage(by, *(more or (bot("mm", "by"),)))
    stage.appear("by")
    for unit in more or (bot("mm", "by"),):
        stage.reach(unit.name)
    stage.done()
    return stage


def test_it_waits_until_it_appears_and_its_bot_waits_for_it() -> None:
    stage = _Stage(BY, bot("mm", "by"))
    assert stage.states() == {"by": "waiting", "mm": "waiting"}
    stage.on("by", Appeared())
    assert stage.states() == {"by": "starting", "mm": "waiting"}
    stage.on("by", Observed(Level.LIVE))
    assert stage.states() == {"by": "starting", "mm": "waiting"}
    stage.on("by", Observed(Level.CONNECTED))
    assert stage.states() == {"by": "up", "mm": "starting"}
    assert stage.done() == ["mm Spawn"]
    assert stage.unit("by").restarts == 0


def test_one_that_does_not_appear_within_its_startup_is_overdue_with_what_to_do() -> None:
    stage = _Stage(startup(BY, 3.0), bot("mm", "by"))
    assert graphs.deadline(stage.graph) == 103.0
    stage.on("by", Tick(), after=3.0)
    unit = stage.unit("by")
    assert (unit.state, unit.overdue, unit.deadline) == (State.WAITING, True, None)
    assert unit.why == "no process holds its channel: start it yourself: connector by bybit CONFIG"
    stage.on("by", Appeared())
    assert (stage.unit("by").overdue, stage.unit("by").why) == (False, None)


def test_one_whose_holder_cannot_be_told_is_overdue_with_that_reason_until_it_appears() -> None:
    stage = _Stage(startup(BY, 3.0), bot("mm", "by"))
    stage.on("by", Unseen("held, by whom cannot be told"))
    stage.on("by", Tick(), after=3.0)
    unit = stage.unit("by")
    assert (unit.state, unit.overdue, unit.why) == (State.WAITING, True, "held, by whom cannot be told")
    stage.appear("by")
    stage.exits("by")
    stage.on("by", Tick(), after=3.0)
    assert "start it yourself" in (stage.unit("by").why or "")


def test_another_start_waits_for_it_anew() -> None:
    stage = _Stage(startup(BY, 3.0))
    stage.on("by", Tick(), after=3.0)
    stage.on("by", Start(), after=10.0)
    assert (stage.unit("by").overdue, stage.unit("by").deadline) == (False, 116.0)


def test_one_that_is_seen_but_reaches_nothing_is_overdue_and_left_alone() -> None:
    stage = _Stage(startup(BY, 3.0), bot("mm", "by"))
    stage.on("by", Appeared(), Observed(Level.STARTED))
    stage.on("by", Tick(), after=3.0)
    assert (stage.unit("by").state, stage.unit("by").why) == (State.STARTING, "not live within 3 s")
    stage.on("by", Start(), Observed(Level.LIVE))
    stage.on("by", Tick(), after=3.0)
    assert stage.unit("by").why == "not connected within 3 s"
    assert stage.done() == []


def test_its_end_recycles_its_bots_and_its_return_starts_them() -> None:
    stage = _up()
    stage.exits("by", None)
    assert stage.states() == {"by": "waiting", "mm": "stopping"}
    assert stage.unit("mm").why == "by is gone"
    assert stage.done() == ["by LetGo", "mm Terminate"]
    stage.exits("mm")
    assert stage.states() == {"by": "waiting", "mm": "waiting"}
    stage.appear("by")
    assert stage.states() == {"by": "up", "mm": "starting"}
    assert (stage.unit("by").restarts, stage.unit("mm").restarts) == (1, 1)


def test_a_change_of_its_process_reaches_a_bot_that_is_still_ending() -> None:
    stage = _up()
    stage.exits("by", None)
    stage.appear("by")
    assert stage.states() == {"by": "up", "mm": "stopping"}
    stage.exits("mm")
    assert stage.states() == {"by": "up", "mm": "starting"}
    assert stage.unit("mm").born > stage.unit("by").born


def test_a_bot_that_dies_with_it_comes_back_with_it() -> None:
    stage = _up()
    stage.exits("mm", 101)
    assert stage.unit("mm").state is State.FAILED
    stage.exits("by", None, after=0.1)
    assert stage.unit("mm").state is State.WAITING
    stage.appear("by")
    assert stage.unit("mm").state is State.STARTING


@pytest.mark.parametrize(
    ("choice", "state", "done"),
    [
        (OnRestart.STOP, "stopping", ["by LetGo", "mm Terminate"]),
        (OnRestart.KEEP, "up", ["by LetGo"]),
    ],
)
def test_the_edge_says_what_its_end_means_for_a_bot(choice: OnRestart, state: str, done: list[str]) -> None:
    stage = _up(bot("mm", on_restart("by", choice)))
    stage.exits("by", None)
    assert stage.states()["mm"] == state
    assert stage.done() == done


def test_a_channel_that_it_lost_while_it_lives_counts_as_its_end() -> None:
    stage = _up()
    stage.on("by", Broken("channel released"))
    assert stage.states() == {"by": "waiting", "mm": "stopping"}
    assert stage.unit("by").why == "channel released"
    assert stage.done() == ["by LetGo", "mm Terminate"]


def test_what_it_went_for_is_said_while_it_stays_away() -> None:
    stage = _up(by=startup(BY, 3.0))
    stage.exits("by", None)
    stage.on("by", Tick(), after=3.0)
    why = stage.unit("by").why
    assert why is not None
    assert why.startswith("it ended; no process holds its channel: start it yourself")


def test_down_lets_it_go_at_once_and_ends_the_bots() -> None:
    stage = _up()
    stage.stop()
    assert stage.states() == {"by": "stopped", "mm": "stopping"}
    assert stage.done() == ["by LetGo", "mm Terminate"]
    stage.exits("mm")
    assert stage.states() == {"by": "stopped", "mm": "stopped"}
    assert stage.done() == []


def test_one_that_never_came_is_stopped_at_once() -> None:
    stage = _Stage(BY)
    stage.stop()
    assert (stage.states(), stage.done()) == ({"by": "stopped"}, [])
    stage.on("by", Appeared())
    assert stage.states() == {"by": "stopped"}


def test_one_that_the_stack_no_longer_names_is_let_go_and_its_bot_runs_on() -> None:
    stage = _up()
    stage.apply(bot("mm"))
    assert stage.states() == {"mm": "up"}
    assert stage.done() == ["by LetGo"]


def test_its_own_dependencies_hold_nothing_up_and_are_stopped_without_it() -> None:
    by = replace(BY, depends_on=connector("x", "proxy").depends_on)
    stage = _Stage(service("proxy"), by, bot("mm", "by"))
    stage.appear("by")
    stage.reach("mm")
    stage.done()
    stage.exits("proxy", 1)
    assert stage.states()["by"] == "up"
    assert stage.states()["mm"] == "up"


def test_a_connector_that_becomes_external_is_stopped_and_then_waited_for() -> None:
    stage = _Stage(connector("by"), bot("mm", "by"))
    stage.reach("by")
    stage.reach("mm")
    stage.done()
    stage.apply(BY, bot("mm", "by"))
    stage.exits("mm")
    assert stage.states() == {"by": "stopping", "mm": "waiting"}
    stage.exits("by")
    assert stage.states() == {"by": "waiting", "mm": "waiting"}
    assert stage.unit("by").deadline is not None
    assert "by LetGo" not in stage.done()


def test_an_external_one_that_becomes_ours_is_let_go_and_started() -> None:
    stage = _up()
    stage.apply(connector("by"), bot("mm", "by"))
    assert stage.done() == ["by LetGo", "by Spawn", "mm Terminate"]


@pytest.mark.parametrize(
    "before",
    [Unit(state) for state in (State.STOPPED, State.FAILED, State.FINISHED, State.BACKOFF)],
    ids=lambda unit: unit.state.value,
)
def test_start_leads_from_any_rest_to_waiting(before: Unit) -> None:
    unit, _ = external.step(before, BY, Start(), 5.0)
    assert (unit.state, unit.wanted, unit.deadline) == (State.WAITING, True, None)


@pytest.mark.parametrize(
    "event", [Begin(), Revive("x"), Appeared(3), Release(1)], ids=lambda event: type(event).__name__
)
def test_what_does_not_concern_one_that_is_up_changes_nothing(event: Event) -> None:
    unit = _up().unit("by")
    assert external.step(unit, BY, event, 200.0) == (unit, ())


@pytest.mark.parametrize(
    "event",
    [Exited(None), Broken("x"), Recycle("x"), Observed(Level.LIVE), Begin()],
    ids=lambda event: type(event).__name__,
)
def test_what_concerns_a_process_changes_nothing_without_one(event: Event) -> None:
    unit = _Stage(BY).unit("by")
    assert external.step(unit, BY, event, 200.0) == (unit, ())


def test_no_event_asks_for_a_signal() -> None:
    events = (Stop("x"), Stop("x", grace=0.0), Broken("x"), Recycle("x"), Exited(None), Tick(), Begin())
    for event in events:
        _, actions = external.step(_up().unit("by"), BY, event, 1000.0)
        assert {type(action) for action in actions} <= {Note, LetGo}
