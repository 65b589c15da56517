from __future__ import annotations

import random
import signal
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from orchestrator.deployment.model import Dependency, Endpoint, Kind, Level, OnLimit, OnRestart, Restart, RestartPolicy
from orchestrator.supervise import graph as graphs
from orchestrator.supervise.graph import Graph
from orchestrator.supervise.unit import (
    SETTLED_AFTER,
    SHORTEST_GRACE,
    Appeared,
    Broken,
    Exited,
    Halt,
    Kill,
    Observed,
    Recycle,
    Silent,
    Spawn,
    SpawnFailed,
    Start,
    State,
    Stop,
    Terminate,
    Tick,
    Unit,
)
from tests.supervise.specs import bot, connector, deployment, external, limited, on_restart, service

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.deployment.model import UnitSpec
    from orchestrator.supervise.graph import Todo
    from orchestrator.supervise.unit import Event

KILLED = -signal.SIGKILL
TERMINATED = -signal.SIGTERM
ON_FAILURE = RestartPolicy.ON_FAILURE


@dataclass
class Stage:
    """A stack on a clock of its own. `done` is what was asked for since it was last looked at, in order."""

    graph: Graph = field(default_factory=Graph)
    now: float = 100.0
    done: list[str] = field(default_factory=list)
    noise: Callable[[], float] = lambda: 0.5

    def apply(self, *units: UnitSpec, only: tuple[str, ...] | None = None) -> Stage:
        return self._take(graphs.apply(self.graph, deployment(*units), self.now, only=only))

    def stop(self, *names: str, hurry: bool = False) -> Stage:
        return self._take(graphs.stop(self.graph, names or tuple(self.graph.units), "down", self.now, hurry=hurry))

    def halt(self) -> Stage:
        return self._take(graphs.halt(self.graph, "halted", self.now))

    def start(self, *names: str) -> Stage:
        return self._take(graphs.start(self.graph, names, self.now))

    def restart(self, *names: str) -> Stage:
        return self._take(graphs.restart(self.graph, names, "restarted", self.now))

    def on(self, name: str, event: Event, *, after: float = 0.0) -> Stage:
        self.now += after
        return self._take(graphs.step(self.graph, name, event, self.now, noise=self.noise))

    def exit(self, *names: str, code: int | None = 1, after: float = 0.0) -> Stage:
        self.now += after
        for name in names:
            self.on(name, Exited(code))
        return self

    def end(self) -> Stage:
        """Let every unit end whose stop has begun."""
        for name, unit in self.graph.units.items():
            if unit.stopping is not None and unit.stopping.begun is not None:
                self.exit(name, code=0)
        return self

    def reach(self, *names: str) -> Stage:
        """Let these units stand on their target."""
        for name in names:
            self.on(name, Observed(self.graph.used(name).target))
        return self

    def climb(self) -> Stage:
        """Let every unit that starts reach its target, until none starts any more."""
        while starting := [name for name, unit in self.graph.units.items() if unit.state is State.STARTING]:
            self.reach(*starting)
        return self

    def tick(self) -> Stage:
        """Let time come to the next deadline."""
        deadline = graphs.deadline(self.graph)
        assert deadline is not None
        self.now = max(self.now, deadline)
        for name, unit in self.graph.units.items():
            if unit.deadline is not None and unit.deadline <= self.now:
                self.on(name, Tick())
        return self

    def _take(self, outcome: tuple[Graph, Todo]) -> Stage:
        self.graph, todo = outcome
        words = {Spawn: "spawn", Terminate: "term", Kill: "kill", Halt: "halt"}
        self.done.extend(f"{words[type(act)]} {name}" for name, act in todo if type(act) in words)
        return self

    def took(self) -> list[str]:
        """Return what was done since the last look."""
        done, self.done = self.done, []
        return done

    def __getitem__(self, name: str) -> Unit:
        return self.graph.units[name]

    def states(self) -> dict[str, str]:
        return {name: unit.state.value for name, unit in self.graph.units.items()}

    def is_in(self, name: str, state: State) -> bool:
        return self.graph.units[name].state is state


def running(*units: UnitSpec) -> Stage:
    """Return these units up, with a history of 100 seconds."""
    stage = Stage().apply(*units).climb()
    assert set(stage.states().values()) == {"up"}
    stage.now += 100.0
    stage.took()
    return stage


class TestOrderOfStart:
    def test_a_bot_waits_until_all_its_connectors_are_ready(self) -> None:
        stage = Stage().apply(connector("bf"), connector("by"), bot("mm", "bf", "by"))
        assert stage.took() == ["spawn bf", "spawn by"]
        stage.on("bf", Observed(Level.LIVE)).reach("by")
        assert stage.took() == []
        stage.reach("bf")
        assert stage.took() == ["spawn mm"]

    def test_a_chain_starts_link_by_link(self) -> None:
        stage = Stage().apply(service("proxy"), connector("bf", "proxy"), bot("mm", "bf"), bot("log", "mm"))
        assert stage.took() == ["spawn proxy"]
        assert stage.reach("proxy").took() == ["spawn bf"]
        assert stage.reach("bf").took() == ["spawn mm"]
        assert stage.reach("mm").took() == ["spawn log"]

    @pytest.mark.parametrize(
        ("condition", "enough"),
        [
            (None, Level.CONNECTED),
            (Level.STARTED, Level.STARTED),
            (Level.LIVE, Level.LIVE),
            (Level.CONNECTED, Level.CONNECTED),
            (Level.FRESH, Level.FRESH),
        ],
    )
    def test_a_condition_says_which_rung_is_waited_for(self, condition: Level | None, enough: Level) -> None:
        stage = Stage().apply(connector("bf"), bot("mm", Dependency("bf", condition)))
        stage.took()
        for level in (Level.STARTED, Level.LIVE, Level.CONNECTED, Level.FRESH):
            assert stage.took() == []
            stage.on("bf", Observed(level))
            if level is enough:
                break
        assert stage.took() == ["spawn mm"]

    def test_a_connector_that_fell_below_its_target_is_not_ready(self) -> None:
        stage = running(connector("bf"), bot("mm", "bf"))
        stage.stop("mm").exit("mm", code=0).on("bf", Observed(Level.LIVE)).took()
        stage.on("mm", Start())
        assert stage.took() == []
        stage.reach("bf")
        assert stage.took() == ["spawn mm"]

    def test_a_finished_dependency_counts_as_reached(self) -> None:
        stage = Stage().apply(bot("warmup"), bot("mm", "warmup"))
        stage.took()
        stage.exit("warmup", code=0)
        assert stage.took() == ["spawn mm"]

    def test_a_finished_dependency_disturbs_nobody(self) -> None:
        stage = running(bot("warmup"), bot("mm", "warmup"))
        stage.exit("warmup", code=0)
        assert stage.took() == []
        assert stage.is_in("mm", State.UP)

    def test_only_units_below_the_failed_one_stay_waiting(self) -> None:
        stage = Stage().apply(connector("bf"), connector("by"), bot("mm", "bf"), bot("arb", "mm"), bot("rec", "by"))
        stage.on("bf", SpawnFailed("channel belongs to pid 7", refused=True)).climb()
        assert stage.states() == {"bf": "failed", "by": "up", "mm": "waiting", "arb": "waiting", "rec": "up"}

    def test_what_is_live_but_not_connected_holds_its_bots_back(self) -> None:
        stage = Stage().apply(connector("bf"), bot("mm", "bf"))
        stage.on("bf", Observed(Level.LIVE)).tick()
        assert stage["bf"].overdue
        assert stage.is_in("mm", State.WAITING)
        stage.now += 3600
        stage.reach("bf").climb()
        assert stage.is_in("mm", State.UP)

    def test_nothing_starts_on_a_connector_that_is_about_to_stop(self) -> None:
        stage = running(connector("bf"), bot("mm", "bf"), bot("rec", Dependency("bf", Level.LIVE)))
        stage.stop("rec").exit("rec", code=0).on("bf", Recycle("restart")).took()
        stage.on("rec", Start())
        assert stage.took() == []
        stage.exit("mm", code=0).exit("bf", code=0).took()
        assert stage.reach("bf").took() == ["spawn mm", "spawn rec"]

    def test_unmet_names_what_a_unit_waits_for(self) -> None:
        stage = Stage().apply(connector("bf"), connector("by"), bot("mm", "bf", "by")).reach("by")
        edges = graphs.unmet(stage.graph.specs["mm"], stage.graph.units, stage.graph.specs)
        assert [edge.unit for edge in edges] == ["bf"]


class TestDeadConnector:
    @pytest.mark.parametrize("policy", list(RestartPolicy))
    def test_its_replacement_starts_at_once_while_its_bots_stop_whatever_their_policy(
        self, policy: RestartPolicy
    ) -> None:
        stage = running(connector("bf"), bot("mm", "bf", policy=policy))
        stage.exit("bf")
        assert stage.took() == ["spawn bf", "term mm"]
        stage.reach("bf")
        assert stage.took() == []
        stage.exit("mm", code=0, after=30.0)
        assert stage.took() == ["spawn mm"]
        assert stage.climb().states() == {"bf": "up", "mm": "up"}

    def test_its_bots_start_when_the_replacement_is_ready_and_not_before(self) -> None:
        stage = running(connector("bf"), bot("mm", "bf"))
        stage.exit("bf").exit("mm", code=0).took()
        stage.on("bf", Observed(Level.LIVE))
        assert stage.took() == []
        stage.reach("bf")
        assert stage.took() == ["spawn mm"]

    def test_a_bot_has_its_full_grace(self) -> None:
        stage = running(connector("bf"), bot("mm", "bf"))
        stage.exit("bf").reach("bf").took()
        begun = stage.now
        while "kill mm" not in stage.took():
            stage.tick()
        assert stage.now - begun == pytest.approx(60.0)

    def test_bots_of_other_connectors_are_left_alone(self) -> None:
        stage = running(connector("bf"), connector("by"), bot("mm", "bf"), bot("rec", "by"))
        stage.exit("bf")
        assert stage.took() == ["spawn bf", "term mm"]
        assert stage.is_in("rec", State.UP)

    def test_a_bot_on_two_connectors_is_restarted_once_when_both_die(self) -> None:
        stage = running(connector("bf"), connector("by"), bot("mm", "bf", "by"))
        stage.exit("bf", "by")
        assert stage.took() == ["spawn bf", "term mm", "spawn by"]
        stage.climb().exit("mm", code=0)
        assert stage.took() == ["spawn mm"]
        assert stage["mm"].restarts == 1

    def test_a_bot_that_starts_on_the_first_connector_when_the_second_dies_is_started_again(self) -> None:
        stage = running(connector("bf"), connector("by"), bot("mm", "bf", "by"))
        stage.exit("bf").reach("bf").exit("mm", code=0).took()
        assert stage.is_in("mm", State.STARTING)
        stage.exit("by")
        assert stage.took() == ["spawn by", "term mm"]

    def test_a_second_death_while_the_bot_still_stops_sends_no_second_signal(self) -> None:
        stage = running(connector("bf"), bot("mm", "bf"))
        stage.exit("bf").reach("bf").exit("bf", after=2.0).tick().climb()
        assert stage.took() == ["spawn bf", "term mm", "spawn bf"]
        stage.exit("mm", code=0)
        assert stage.took() == ["spawn mm"]

    def test_a_dead_service_takes_its_connectors_and_their_bots_with_it_bots_first(self) -> None:
        stage = running(service("proxy"), connector("bf", "proxy"), bot("mm", "bf"))
        stage.exit("proxy")
        assert stage.took() == ["spawn proxy", "term mm"]
        stage.reach("proxy").exit("mm", code=0)
        assert stage.took() == ["term bf"]
        stage.exit("bf", code=0)
        assert stage.took() == ["spawn bf"]
        assert stage.reach("bf").took() == ["spawn mm"]

    def test_restarts_by_propagation_are_counted_and_spend_no_budget(self) -> None:
        stage = running(connector("bf"), limited(bot("mm", "bf"), 0))
        for _ in range(3):
            stage.now += 2
            stage.exit("bf")
            while not stage["bf"].alive:
                stage.tick()
            stage.climb().exit("mm", code=0).climb()
        assert (stage["mm"].restarts, stage["mm"].window) == (3, ())
        assert stage.is_in("mm", State.UP)

    def test_a_transient_retry_of_a_connector_holds_its_bots_back(self) -> None:
        stage = running(connector("bf"), bot("mm", "bf"))
        stage.exit("bf").exit("mm", code=0).took()
        stage.exit("bf", after=0.02)
        assert stage.took() == ["spawn bf"]
        stage.exit("bf", after=0.02)
        assert stage.took() == []
        stage.tick()
        assert stage.took() == ["spawn bf"]
        stage.reach("bf")
        assert stage.took() == ["spawn mm"]
        assert stage["bf"].restarts == 1


class TestRecycledConnector:
    @pytest.mark.parametrize("event", [Broken("SPLIT"), Recycle("restart")])
    def test_bots_stop_first_with_their_full_grace_and_then_the_connector(self, event: Event) -> None:
        stage = running(connector("bf"), bot("mm", "bf"))
        stage.on("bf", event)
        assert stage.took() == ["term mm"]
        stage.exit("mm", code=0, after=59.0)
        assert stage.took() == ["term bf"]
        stage.exit("bf", code=0)
        assert stage.took() == ["spawn bf"]
        assert stage.reach("bf").took() == ["spawn mm"]

    def test_a_connector_that_dies_while_its_bots_stop_is_replaced_at_once(self) -> None:
        stage = running(connector("bf"), bot("mm", "bf"))
        stage.on("bf", Recycle("restart")).took()
        stage.exit("bf", after=1.0)
        assert stage.took() == ["spawn bf"]
        stage.reach("bf").exit("mm", code=0)
        assert stage.took() == ["spawn mm"]

    def test_a_connector_waits_for_the_last_of_its_bots(self) -> None:
        stage = running(connector("bf"), bot("mm", "bf"), bot("rec", "bf"))
        stage.on("bf", Recycle("restart"))
        assert stage.took() == ["term mm", "term rec"]
        assert stage.exit("mm", code=0).took() == []
        assert stage.exit("rec", code=0).took() == ["term bf"]


class TestOnRestart:
    def test_stop_leaves_the_bot_stopped(self) -> None:
        stage = running(connector("bf"), bot("mm", on_restart("bf", OnRestart.STOP), policy=ON_FAILURE))
        stage.exit("bf")
        assert stage.took() == ["spawn bf", "term mm"]
        stage.exit("mm", code=0).climb()
        assert stage.states() == {"bf": "up", "mm": "stopped"}

    def test_stop_holds_when_the_connector_fails_for_good(self) -> None:
        stage = running(limited(connector("bf"), 0), bot("mm", on_restart("bf", OnRestart.STOP)))
        stage.exit("bf").exit("mm", code=0)
        assert stage.states() == {"bf": "failed", "mm": "stopped"}

    def test_keep_leaves_the_bot_running(self) -> None:
        stage = running(connector("bf"), bot("mm", on_restart("bf", OnRestart.KEEP)))
        stage.exit("bf")
        assert stage.took() == ["spawn bf"]
        stage.climb()
        assert stage.took() == []
        assert stage.is_in("mm", State.UP)

    def test_a_recycled_connector_does_not_wait_for_a_bot_that_is_kept(self) -> None:
        stage = running(connector("bf"), bot("mm", on_restart("bf", OnRestart.KEEP)))
        stage.on("bf", Recycle("restart"))
        assert stage.took() == ["term bf"]

    def test_a_failed_connector_stops_even_a_bot_that_is_kept(self) -> None:
        stage = running(limited(connector("bf"), 0), bot("mm", on_restart("bf", OnRestart.KEEP)))
        stage.exit("bf")
        assert stage.took() == ["term mm"]

    @pytest.mark.parametrize("died", [("bf", "by"), ("by", "bf")])
    def test_stop_wins_over_restart_when_both_connectors_die(self, died: tuple[str, str]) -> None:
        stage = running(connector("bf"), connector("by"), bot("mm", "bf", on_restart("by", OnRestart.STOP)))
        stage.exit(*died).climb().exit("mm", code=0).climb()
        assert stage.states() == {"bf": "up", "by": "up", "mm": "stopped"}

    def test_a_restart_of_one_connector_is_no_reason_to_stop_for_the_other(self) -> None:
        stage = running(connector("bf"), connector("by"), bot("mm", "bf", on_restart("by", OnRestart.STOP)))
        stage.exit("bf").climb().exit("mm", code=0).climb()
        assert stage.states() == {"bf": "up", "by": "up", "mm": "up"}


class TestNotRevived:
    def test_a_failed_bot_stays_failed_when_its_connector_restarts(self) -> None:
        stage = running(connector("bf"), bot("mm", "bf"))
        stage.exit("mm")
        stage.exit("bf", after=1.5).climb()
        assert stage.states() == {"bf": "up", "mm": "failed"}

    def test_a_finished_bot_stays_finished_when_its_connector_restarts(self) -> None:
        stage = running(connector("bf"), bot("mm", "bf"))
        stage.exit("mm", code=0)
        stage.exit("bf", after=1.5).climb()
        assert stage.states() == {"bf": "up", "mm": "finished"}

    def test_a_bot_that_the_operator_stopped_stays_stopped_even_if_its_connector_dies_just_then(self) -> None:
        stage = running(connector("bf"), bot("mm", "bf"))
        stage.stop("mm").exit("mm", code=0)
        stage.exit("bf", after=0.1).climb()
        assert stage.states() == {"bf": "up", "mm": "stopped"}

    def test_a_bot_that_could_not_be_spawned_did_not_go_with_its_connector(self) -> None:
        stage = Stage().apply(connector("bf"), bot("mm", "bf")).reach("bf")
        stage.on("mm", SpawnFailed("no such file", refused=True))
        stage.exit("bf", after=0.1).climb()
        assert stage.states() == {"bf": "up", "mm": "failed"}

    @pytest.mark.parametrize("policy", list(RestartPolicy))
    @pytest.mark.parametrize("code", [0, 1, KILLED, None])
    @pytest.mark.parametrize("first", ["bf", "mm"])
    @pytest.mark.parametrize("apart", [0.0, 0.5, 1.0])
    def test_an_exit_within_a_second_of_the_connectors_death_counts_as_propagation(
        self, policy: RestartPolicy, code: int | None, first: str, apart: float
    ) -> None:
        stage = running(connector("bf"), limited(bot("mm", "bf", policy=policy), 1))
        if first == "bf":
            stage.exit("bf").exit("mm", code=code, after=apart)
        else:
            stage.exit("mm", code=code)
            stage.exit("bf", after=apart)
        stage.climb()
        if stage["mm"].stopping:
            stage.exit("mm", code=0).climb()
        assert stage.states() == {"bf": "up", "mm": "up"}
        assert stage["mm"].window == ()

    def test_a_bot_whose_budget_was_spent_is_revived_when_its_connector_died_with_it(self) -> None:
        stage = running(connector("bf"), limited(bot("mm", "bf", policy=ON_FAILURE), 0))
        stage.exit("mm")
        assert stage.is_in("mm", State.FAILED)
        stage.exit("bf", after=0.5).climb()
        assert stage.is_in("mm", State.UP)

    @pytest.mark.parametrize("policy", list(RestartPolicy))
    @pytest.mark.parametrize("first", ["bf", "mm"])
    def test_a_bot_that_is_to_stop_with_its_connector_stops_in_both_orders(
        self, policy: RestartPolicy, first: str
    ) -> None:
        stage = running(connector("bf"), bot("mm", on_restart("bf", OnRestart.STOP), policy=policy))
        second = "mm" if first == "bf" else "bf"
        stage.exit(first)
        stage.exit(second, after=0.5)
        if stage["mm"].alive:
            stage.exit("mm", code=0)
        stage.climb()
        assert stage.states() == {"bf": "up", "mm": "stopped"}

    def test_a_stop_of_the_connector_by_us_revives_nobody(self) -> None:
        stage = running(connector("bf"), bot("mm", "bf"))
        stage.exit("mm")
        stage.on("bf", Recycle("restart"), after=0.1)
        stage.exit("bf", code=0).climb()
        assert stage.states() == {"bf": "up", "mm": "failed"}

    def test_the_death_of_a_process_that_the_bot_was_never_attached_to_revives_nobody(self) -> None:
        stage = running(connector("bf"), bot("mm", "bf"))
        stage.exit("mm").on("bf", Recycle("restart")).exit("bf", code=0, after=0.1)
        stage.exit("bf", after=0.1).climb()
        assert stage.states() == {"bf": "up", "mm": "failed"}


class TestFailed:
    def test_it_stops_what_hangs_below_it_and_nothing_else(self) -> None:
        stage = running(
            limited(connector("bf"), 0), connector("by"), bot("mm", "bf"), bot("arb", "mm"), bot("rec", "by")
        )
        stage.exit("bf")
        assert stage.took() == ["term arb"]
        stage.exit("arb", code=0)
        assert stage.took() == ["term mm"]
        stage.exit("mm", code=0)
        assert stage.states() == {"bf": "failed", "by": "up", "mm": "waiting", "arb": "waiting", "rec": "up"}

    def test_its_bots_start_again_when_the_operator_starts_it(self) -> None:
        stage = running(limited(connector("bf"), 0), bot("mm", "bf"))
        stage.exit("bf").exit("mm", code=0).took()
        stage.on("bf", Start()).climb()
        assert stage.took() == ["spawn bf", "spawn mm"]
        assert stage["mm"].restarts == 0

    def test_a_failed_bot_stops_the_bots_below_it_and_no_connector(self) -> None:
        stage = running(connector("bf"), bot("mm", "bf"), bot("log", "mm"))
        stage.exit("mm")
        assert stage.took() == ["term log"]
        assert stage.is_in("bf", State.UP)


class TestStop:
    STACK = (service("proxy"), connector("bf", "proxy"), connector("by"), bot("mm", "bf", "by"), bot("log", "mm"))

    def test_a_stop_goes_through_the_graph_in_reverse(self) -> None:
        stage = running(*self.STACK).stop()
        assert stage.took() == ["term log"]
        assert stage.exit("log", code=0).took() == ["term mm"]
        assert stage.exit("mm", code=0).took() == ["term bf", "term by"]
        assert stage.exit("by", code=0).took() == []
        assert stage.exit("bf", code=0).took() == ["term proxy"]
        stage.exit("proxy", code=TERMINATED)
        assert set(stage.states().values()) == {"stopped"}
        assert graphs.deadline(stage.graph) is None

    def test_stopping_one_unit_stops_what_hangs_below_it_and_nothing_above(self) -> None:
        stage = running(*self.STACK).stop("bf")
        for name in ("log", "mm", "bf"):
            assert stage.took() == [f"term {name}"]
            stage.exit(name, code=0)
        assert stage.states() == {"proxy": "up", "bf": "stopped", "by": "up", "mm": "stopped", "log": "stopped"}

    def test_nothing_is_started_during_a_stop(self) -> None:
        stage = running(*self.STACK).stop()
        stage.exit("bf", "by", "proxy", "log", "mm", after=1.0)
        assert [act for act in stage.took() if act.startswith("spawn")] == []
        assert set(stage.states().values()) == {"stopped"}

    def test_a_connector_waits_for_a_bot_that_is_kept_when_both_stop(self) -> None:
        stage = running(connector("bf"), bot("mm", on_restart("bf", OnRestart.KEEP))).stop()
        assert stage.took() == ["term mm"]
        assert stage.exit("mm", code=0).took() == ["term bf"]

    def test_a_bot_that_sigkill_does_not_end_blocks_no_stop(self) -> None:
        stage = running(connector("bf"), bot("mm", "bf")).stop()
        while not stage.is_in("mm", State.LOST):
            assert "term bf" not in stage.took()
            stage.tick()
        assert stage.took() == ["term bf"]
        stage.exit("bf", code=0)
        assert stage.states() == {"bf": "stopped", "mm": "lost"}
        assert graphs.deadline(stage.graph) is None
        stage.exit("mm", code=KILLED)
        assert stage.states() == {"bf": "stopped", "mm": "stopped"}

    def test_hurry_takes_the_grace_from_bots_and_from_nothing_else(self) -> None:
        stage = running(connector("bf"), bot("mm", "bf")).stop(hurry=True)
        begun = stage.now
        stage.tick()
        assert stage.took() == ["term mm", "kill mm"]
        assert stage.now == begun + SHORTEST_GRACE
        stage.exit("mm", code=KILLED)
        while "kill bf" not in stage.took():
            stage.tick()
        assert stage.now - begun == pytest.approx(5.0 + SHORTEST_GRACE)

    def test_a_second_stop_in_a_hurry_ends_the_wait_of_the_first(self) -> None:
        stage = running(connector("bf"), bot("mm", "bf")).stop().took()
        stage_ = running(connector("bf"), bot("mm", "bf")).stop()
        stage_.now += 3.0
        stage_.stop(hurry=True).tick()
        assert stage == ["term mm"]
        assert stage_.took() == ["term mm", "kill mm"]

    def test_a_stop_while_the_stack_starts_stops_what_runs_and_starts_nothing_more(self) -> None:
        stage = Stage().apply(*self.STACK).reach("proxy", "by")
        assert stage.took() == ["spawn proxy", "spawn by", "spawn bf"]
        stage.stop()
        assert stage.took() == ["term by"]
        assert any("term bf" in stage.tick().took() for _ in range(10))
        stage.exit("by", "bf", code=0).exit("proxy", code=0)
        assert stage.took() == ["term proxy"]
        assert set(stage.states().values()) == {"stopped"}

    def test_a_start_during_a_stop_comes_up_again_in_order(self) -> None:
        stage = running(connector("bf"), bot("mm", "bf"))
        units = tuple(stage.graph.specs.values())
        stage.stop().apply(*units)
        assert stage.took() == ["term mm"]
        stage.exit("mm", code=0)
        assert stage.took() == ["term bf"]
        stage.exit("bf", code=0)
        assert stage.took() == ["spawn bf"]
        stage.climb()
        assert stage.took() == ["spawn mm"]
        assert [unit.restarts for unit in stage.graph.units.values()] == [0, 0]

    def test_a_stop_of_what_has_failed_or_finished_needs_no_signal(self) -> None:
        stage = running(limited(connector("bf"), 0), bot("once"))
        stage.exit("bf").exit("once", code=0).stop()
        assert stage.took() == []
        assert set(stage.states().values()) == {"stopped"}

    def test_below_names_everything_that_depends_on_a_unit(self) -> None:
        stage = running(*self.STACK)
        assert set(graphs.below(stage.graph, ["by"])) == {"by", "mm", "log"}
        assert set(graphs.below(stage.graph, ["proxy"])) == {"proxy", "bf", "mm", "log"}
        assert set(graphs.below(stage.graph, ["log"])) == {"log"}


class TestApply:
    def test_the_same_deployment_again_does_nothing(self) -> None:
        stage = running(connector("bf"), bot("mm", "bf"))
        before = stage.graph
        stage.apply(*before.specs.values())
        assert stage.took() == []
        assert stage.graph == before

    def test_an_added_unit_is_started_and_the_others_run_on(self) -> None:
        stage = running(connector("bf"))
        stage.apply(connector("bf"), connector("by"), bot("mm", "bf", "by"))
        assert stage.took() == ["spawn by"]
        assert stage.reach("by").took() == ["spawn mm"]

    def test_a_removed_bot_is_stopped_and_forgotten(self) -> None:
        stage = running(connector("bf"), bot("mm", "bf")).apply(connector("bf"))
        assert stage.took() == ["term mm"]
        stage.exit("mm", code=0)
        assert stage.states() == {"bf": "up"}
        assert stage.took() == []

    def test_a_removed_connector_is_stopped_after_its_removed_bots(self) -> None:
        stage = running(connector("bf"), connector("by"), bot("mm", "bf"), bot("rec", "bf")).apply(connector("by"))
        assert stage.took() == ["term mm", "term rec"]
        assert stage.exit("mm", code=0).took() == []
        assert stage.exit("rec", code=0).took() == ["term bf"]
        stage.exit("bf", code=0)
        assert stage.states() == {"by": "up"}

    def test_a_removed_unit_that_was_not_running_is_forgotten_at_once(self) -> None:
        stage = running(connector("bf"), bot("mm", "bf"))
        stage.exit("mm").apply(connector("bf"))
        assert stage.states() == {"bf": "up"}

    def test_a_removed_unit_that_comes_back_while_it_stops_is_started_again(self) -> None:
        stage = running(connector("bf"), bot("mm", "bf")).apply(connector("bf")).apply(connector("bf"), bot("mm", "bf"))
        stage.took()
        stage.exit("mm", code=0)
        assert stage.took() == ["spawn mm"]

    def test_a_changed_connector_is_recycled_after_its_bots_which_come_back_on_it(self) -> None:
        stage = running(connector("bf"), connector("by"), bot("mm", "bf"), bot("rec", "by"))
        changed = replace(connector("bf"), cwd="/elsewhere")
        stage.apply(changed, connector("by"), bot("mm", "bf"), bot("rec", "by"))
        assert stage.took() == ["term mm"]
        assert stage.exit("mm", code=0).took() == ["term bf"]
        stage.exit("bf", code=0)
        assert stage.took() == ["spawn bf"]
        assert stage["bf"].running == changed
        assert stage.climb().took() == ["spawn mm"]
        assert stage["bf"].restarts == 0

    def test_a_changed_bot_is_recycled_alone(self) -> None:
        stage = running(connector("bf"), bot("mm", "bf"))
        stage.apply(connector("bf"), replace(bot("mm", "bf"), env=(("A", "1"),)))
        assert stage.took() == ["term mm"]
        assert stage.exit("mm", code=0).took() == ["spawn mm"]
        assert stage["mm"].running == stage.graph.specs["mm"]

    def test_what_a_running_process_can_take_up_is_taken_up_without_a_restart(self) -> None:
        stage = running(connector("bf"), bot("mm", "bf"))
        calmer = replace(bot("mm", on_restart("bf", OnRestart.KEEP)), grace=3.0, restart=Restart(RestartPolicy.ALWAYS))
        stage.apply(connector("bf"), calmer)
        assert stage.took() == []
        stage.exit("bf")
        assert stage.took() == ["spawn bf"]
        stage.climb().stop("mm")
        assert stage["mm"].stopping is not None
        assert stage["mm"].stopping.grace == 3.0

    def test_a_bot_that_gains_a_dependency_is_started_again_on_it(self) -> None:
        stage = running(connector("bf"), bot("mm", "bf"))
        stage.apply(connector("bf"), connector("by"), bot("mm", "bf", "by"))
        assert stage.took() == ["spawn by", "term mm"]
        stage.exit("mm", code=0)
        assert stage.took() == []
        assert stage.reach("by").took() == ["spawn mm"]

    def test_a_connector_is_not_removed_under_a_bot_that_was_started_on_it(self) -> None:
        stage = running(connector("bf"), connector("by"), bot("mm", "bf", "by"))
        stage.apply(connector("by"), bot("mm", "by"))
        assert stage.took() == ["term mm"]
        stage.exit("mm", code=0)
        assert sorted(stage.took()) == ["spawn mm", "term bf"]

    @pytest.mark.parametrize("changed", [(), ("a",), ("b",), ("a", "b")])
    @pytest.mark.parametrize("choice", list(OnRestart))
    def test_an_edge_that_changes_its_direction_holds_no_stop_for_ever(
        self, changed: tuple[str, ...], choice: OnRestart
    ) -> None:
        stage = running(bot("a"), bot("b", on_restart("a", choice)))
        units = (bot("b"), bot("a", on_restart("b", choice)))
        stage.apply(*(replace(unit, cwd="/elsewhere") if unit.name in changed else unit for unit in units))
        for _ in range(4):
            stage.climb().end()
        assert "stopping" not in stage.states().values()
        stage.stop()
        for _ in range(4):
            stage.end()
        assert stage.states() == {"b": "stopped", "a": "stopped"}

    @pytest.mark.parametrize(("before", "after"), [("stopped", "up"), ("failed", "up"), ("finished", "up")])
    def test_up_starts_stopped_and_finished_units_and_clears_failed(self, before: str, after: str) -> None:
        stage = running(connector("bf"), bot("mm", "bf"))
        if before == "stopped":
            stage.stop("mm")
        stage.exit("mm", code=1 if before == "failed" else 0)
        assert stage["mm"].state == before
        stage.apply(*stage.graph.specs.values()).climb()
        assert stage["mm"].state == after

    def test_only_narrows_what_is_started(self) -> None:
        stage = Stage().apply(connector("bf"), connector("by"), bot("mm", "bf"), only=("bf",)).climb()
        assert stage.states() == {"bf": "up", "by": "stopped", "mm": "stopped"}

    def test_a_change_during_a_start_is_taken_up(self) -> None:
        stage = Stage().apply(connector("bf"), bot("mm", "bf"))
        changed = replace(connector("bf"), cwd="/elsewhere")
        stage.apply(changed, bot("mm", "bf"))
        assert stage.took() == ["spawn bf"]
        stage.tick()
        assert stage.took() == ["term bf"]
        stage.exit("bf", code=TERMINATED)
        assert stage.took() == ["spawn bf"]
        assert stage["bf"].running == changed

    def test_a_change_during_a_stop_is_started_from_the_new_spec(self) -> None:
        stage = running(connector("bf")).stop()
        changed = replace(connector("bf"), cwd="/elsewhere")
        stage.apply(changed).exit("bf", code=0)
        assert stage.took() == ["term bf", "spawn bf"]
        assert stage["bf"].running == changed

    def test_the_order_of_the_new_deployment_rules(self) -> None:
        stage = running(connector("bf"), bot("mm", "bf")).apply(connector("by"), connector("bf"), bot("mm", "bf", "by"))
        assert list(stage.graph.units) == ["by", "bf", "mm"]


class TestDeadline:
    def test_it_is_the_earliest_of_all_units(self) -> None:
        stage = Stage().apply(connector("bf"), connector("by"))
        assert graphs.deadline(stage.graph) == stage.now + 10.0
        stage.stop("by")
        assert graphs.deadline(stage.graph) == stage.now + SETTLED_AFTER

    def test_a_stack_at_rest_wants_no_ticks(self) -> None:
        assert graphs.deadline(running(service("proxy"), connector("bf", "proxy"), bot("mm", "bf")).graph) is None
        assert graphs.deadline(Graph()) is None


def test_settling_a_stack_at_rest_does_nothing() -> None:
    stage = running(connector("bf"), bot("mm", "bf"))
    assert graphs.settle(stage.graph, stage.now) == (stage.graph, ())


def test_settling_after_an_adoption_recycles_a_bot_whose_connector_is_younger() -> None:
    stage = running(connector("bf"), bot("mm", "bf"))
    units = dict(stage.graph.units)
    units["bf"] = replace(units["bf"], born=9)
    graph, todo = graphs.settle(replace(stage.graph, units=units, births=9), stage.now)
    assert [(name, type(act)) for name, act in todo if isinstance(act, Terminate)] == [("mm", Terminate)]
    assert graph.units["mm"].state is State.STOPPING


@pytest.mark.parametrize("kind", list(Kind))
def test_used_is_what_the_process_was_started_from(kind: Kind) -> None:
    unit = {Kind.CONNECTOR: connector, Kind.SERVICE: service, Kind.BOT: bot}[kind]("x")
    stage = running(unit).apply(replace(unit, cwd="/elsewhere"))
    assert stage.graph.used("x").cwd == "/"
    stage.exit("x", code=0)
    assert stage.graph.used("x").cwd == "/elsewhere"


def test_the_operators_stop_of_a_connector_alone_takes_its_bots_down_first() -> None:
    stage = running(connector("bf"), bot("mm", "bf"))
    stage.on("bf", Stop("stop bf"))
    assert stage.took() == ["term mm"]
    stage.exit("mm", code=0)
    assert stage.took() == ["term bf"]
    stage.exit("bf", code=0)
    assert stage.states() == {"bf": "stopped", "mm": "waiting"}


def _trading() -> Stage:
    stage = Stage().apply(service("base"), connector("bf", "base"), connector("by"), bot("mm", "bf"), bot("nn", "by"))
    return stage.climb()


def test_what_a_unit_needs_is_everything_above_it_in_the_order_of_the_stack() -> None:
    specs = _trading().graph.specs

    assert graphs.needed(specs, ["mm"]) == ("base", "bf", "mm")
    assert graphs.needed(specs, ["nn", "base"]) == ("base", "by", "nn")


def test_an_operator_starts_a_unit_with_what_it_needs_and_nothing_else() -> None:
    stage = _trading().stop()
    while any(unit.alive for unit in stage.graph.units.values()):
        stage.end()
    stage.start("mm").climb()

    states = {name: unit.state for name, unit in stage.graph.units.items()}
    assert states == {
        "base": State.UP,
        "bf": State.UP,
        "mm": State.UP,
        "by": State.STOPPED,
        "nn": State.STOPPED,
    }


def test_an_operators_start_clears_what_is_latched_above_too() -> None:
    stage = Stage().apply(connector("bf", policy=RestartPolicy.NEVER), bot("mm", "bf")).climb()
    stage.exit("bf", after=5.0).end()
    assert stage.graph.units["bf"].state is State.FAILED
    stage.start("mm").climb()

    assert {unit.state for unit in stage.graph.units.values()} == {State.UP}


def test_a_finished_bot_is_started_again_when_it_is_named_and_not_because_another_one_needs_it() -> None:
    stage = Stage().apply(bot("first"), bot("second", "first")).climb()
    stage.exit("first", code=0, after=5.0)
    states = [stage.start(name).graph.units["first"].state for name in ("second", "first")]

    assert states == [State.FINISHED, State.STARTING]


def test_an_operators_restart_takes_the_bots_along_in_order_and_counts_no_failure() -> None:
    stage = _trading()
    births = {name: unit.born for name, unit in stage.graph.units.items()}
    stage.restart("bf")
    states = {name: unit.state for name, unit in stage.graph.units.items()}
    assert (states["mm"], states["bf"]) == (State.STOPPING, State.STOPPING)
    assert stage.graph.units["bf"].stopping is not None
    assert stage.graph.units["bf"].stopping.begun is None
    stage.end().end().climb()

    units = stage.graph.units
    assert {unit.state for unit in units.values()} == {State.UP}
    assert {name for name, unit in units.items() if unit.born > births[name]} == {"bf", "mm"}
    assert (units["bf"].restarts, units["bf"].window, units["mm"].window) == (0, (), ())
    assert units["mm"].restarts == 1


def test_a_restart_of_what_is_stopped_or_failed_is_a_start() -> None:
    stage = Stage().apply(connector("bf", policy=RestartPolicy.NEVER), service("base")).climb()
    stage.exit("bf", after=5.0).stop("base").end()
    stage.restart("bf", "base").climb()

    assert {unit.state for unit in stage.graph.units.values()} == {State.UP}


def test_a_restart_while_the_unit_is_being_stopped_brings_it_back() -> None:
    stage = _trading().stop("nn").restart("nn").end().climb()

    assert stage.graph.units["nn"].state is State.UP
    assert stage.graph.units["nn"].wanted


@pytest.mark.parametrize(
    ("choice", "state"), [(OnRestart.STOP, State.STOPPED), (OnRestart.KEEP, State.UP), (OnRestart.RESTART, State.UP)]
)
def test_a_bot_follows_an_operators_restart_as_its_edge_says(choice: OnRestart, state: State) -> None:
    stage = Stage().apply(connector("bf"), bot("mm", on_restart("bf", choice))).climb()
    born = stage.graph.units["mm"].born
    stage.restart("bf").end().end().climb()

    assert stage.graph.units["bf"].state is State.UP
    assert stage.graph.units["mm"].state is state
    assert (stage.graph.units["mm"].born > born) == (choice is OnRestart.RESTART)


def test_a_halt_stops_bots_first_and_clears_what_had_failed() -> None:
    stage = _trading().exit("nn", code=3).halt()
    assert stage.graph.units["bf"].stopping is not None
    assert stage.graph.units["bf"].stopping.begun is None
    stage.end().end().end()

    assert {unit.state for unit in stage.graph.units.values()} == {State.STOPPED}


def test_nothing_of_a_halted_stack_is_started_whoever_asks() -> None:
    stage = Stage().apply(connector("bf"), bot("mm", "bf")).climb()
    stage.restart("bf").exit("mm", code=0).exit("bf").halt()
    stage.start("bf").restart("mm").apply(connector("bf"), bot("mm", "bf"), service("new")).on("bf", Start())
    stage.exit("bf").climb()

    assert {unit.state for unit in stage.graph.units.values()} == {State.STOPPED}
    assert not any(unit.wanted or unit.alive for unit in stage.graph.units.values())


class TestIncidents:
    """Connectors of one exchange that fail within a second."""

    @staticmethod
    def _up(*hosts: str) -> Stage:
        units = [replace(connector(f"c{n}"), streams=(Endpoint(host, 443),)) for n, host in enumerate(hosts)]
        stage = Stage().apply(*units)
        for unit in units:
            stage.on(unit.name, Observed(Level.CONNECTED))
        stage.took()
        return stage

    @staticmethod
    def _comes_to_rest(stage: Stage) -> Stage:
        """Let time pass until each unit is up, or has failed for good."""
        while graphs.deadline(stage.climb().graph) is not None:
            stage.tick()
        assert set(stage.states().values()) <= {"up", "failed"}
        return stage

    def test_one_goes_first_and_pays_the_others_wait_for_it_and_it_costs_them_nothing(self) -> None:
        stage = self._up("a.example", "a.example", "a.example")
        stage.exit("c0").exit("c1", after=0.3).exit("c2", after=0.3)
        assert stage.took() == ["spawn c0"]
        assert stage.states() == {"c0": "starting", "c1": "waiting", "c2": "waiting"}
        assert [(len(unit.window), unit.failures) for unit in stage.graph.units.values()] == [(1, 1), (0, 0), (0, 0)]
        assert all(unit.is_troubled for unit in stage.graph.units.values())  # its exchange may ban the address
        assert stage["c1"].why == "one incident of a.example: c0 goes first"
        stage.on("c0", Observed(Level.LIVE))
        assert stage.took() == []
        stage.on("c0", Observed(Level.CONNECTED)).tick()
        assert stage.took() == ["spawn c1", "spawn c2"]

    def test_those_that_waited_start_at_instants_of_their_own_within_a_second(self) -> None:
        stage = self._up(*["a.example"] * 5)
        stage.noise = random.Random(1).random  # noqa: S311 - the randomness that is handed in
        stage.exit("c0", "c1", "c2", "c3", "c4").on("c0", Observed(Level.CONNECTED))
        begun, started = stage.now, []
        while graphs.deadline(stage.graph) is not None:
            stage.took()
            stage.tick()
            started += [(stage.now, word) for word in stage.took() if word.startswith("spawn")]
            stage.climb()
        assert sorted(word for _, word in started) == [f"spawn c{n}" for n in (1, 2, 3, 4)]
        assert len({at for at, _ in started}) == 4
        assert begun < min(started)[0] < max(started)[0] < begun + 1.0

    @pytest.mark.parametrize("streams", [(), (Endpoint("b.example", 443),)])
    def test_nobody_waits_for_one_that_is_of_another_exchange_by_now(self, streams: tuple[Endpoint, ...]) -> None:
        stage = self._up("a.example", "a.example").exit("c0", "c1")
        other = replace(connector("c0"), streams=streams)
        stage.apply(other, stage.graph.specs["c1"], only=("c0",)).tick()
        assert "spawn c1" in stage.took()

    def test_whoever_waits_is_told_once_and_keeps_its_instant_whoever_fails_after_it(self) -> None:
        stage = self._up("a.example", "a.example", "a.example")
        noises = iter([n / 100 for n in range(100)])
        stage.noise = lambda: next(noises)
        stage.exit("c0", "c1")
        waits = stage["c1"]
        assert waits.spread > 0
        stage.exit("c2", after=0.1)
        assert stage["c1"] == waits
        assert stage["c2"].spread not in {0.0, waits.spread}

    def test_a_start_that_was_put_off_has_its_whole_startup_from_then_on(self) -> None:
        stage = self._up("a.example", "a.example").exit("c0").exit("c1", after=0.1)
        stage.on("c0", Observed(Level.CONNECTED), after=9.0).tick()
        assert stage["c1"].spawned == stage["c1"].climb == stage.now

    @pytest.mark.parametrize("after", [0.0, 0.1, 0.5, 0.9, 1.5])
    def test_when_the_first_one_dies_at_its_start_another_goes_first_and_nobody_waits_in_a_circle(
        self, after: float
    ) -> None:
        stage = self._up("a.example", "a.example", "a.example").exit("c0").exit("c1", "c2", after=0.05)
        stage.exit("c0", after=after)
        for _ in range(6):
            if graphs.deadline(stage.graph) is not None:
                stage.tick()
            stage.climb()
        assert set(stage.states().values()) == {"up"}

    def test_one_that_needs_another_of_its_exchange_is_not_waited_for_by_it(self) -> None:
        streams = (Endpoint("a.example", 443),)
        c0, c1 = replace(connector("c0"), streams=streams), replace(connector("c1", "c0"), streams=streams)
        stage = running(c0, c1)
        stage.exit("c1").exit("c0", after=0.1)
        stage.end()
        for _ in range(4):
            if graphs.deadline(stage.graph) is not None:
                stage.tick()
            stage.climb()
        assert set(stage.states().values()) == {"up"}

    def test_two_that_need_each_other_first_do_not_wait_in_a_circle(self) -> None:
        streams = (Endpoint("a.example", 443),)
        c0, c1 = replace(connector("c0"), streams=streams), replace(connector("c1", "c0"), streams=streams)
        stage = running(c0, c1)
        stage.exit("c1").reach("c1").exit("c1").exit("c0", after=0.05)
        assert stage.is_in("c1", State.BACKOFF)
        for _ in range(4):
            if graphs.deadline(stage.graph) is not None:
                stage.tick()
            stage.climb()
        assert set(stage.states().values()) == {"up"}

    def test_one_that_lives_and_does_not_get_there_is_waited_for_no_longer_than_its_startup(self) -> None:
        stage = self._up("a.example", "a.example").exit("c0", "c1").on("c0", Observed(Level.LIVE))
        stage.tick()
        assert stage["c0"].overdue
        assert stage.tick().took() == ["spawn c0", "spawn c1"]

    def test_nobody_waits_for_one_that_somebody_else_starts(self) -> None:
        streams = (Endpoint("a.example", 443),)
        units = [replace(external("c0"), streams=streams), replace(connector("c1"), streams=streams)]
        stage = Stage().apply(*units).on("c0", Appeared()).climb()
        stage.exit("c0").exit("c1", after=0.1).took()
        assert stage["c1"].alive
        assert len(stage["c1"].window) == 1

    def test_who_is_started_by_hand_waits_for_nobody(self) -> None:
        stage = self._up("a.example", "a.example").exit("c0", "c1")
        assert stage.start("c1").took() == ["spawn c0", "spawn c1"]

    @pytest.mark.parametrize(("hosts", "apart"), [(("a.example", "b.example"), 0.1), (("a.example", "a.example"), 1.1)])
    def test_other_exchanges_and_other_moments_are_no_incident(self, hosts: tuple[str, ...], apart: float) -> None:
        stage = self._up(*hosts).exit("c0").exit("c1", after=apart)
        assert stage.took() == ["spawn c0", "spawn c1"]
        assert [len(unit.window) for unit in stage.graph.units.values()] == [1, 1]

    def test_nobody_waits_for_one_that_fails_again_or_is_stopped(self) -> None:
        again = self._up("a.example", "a.example").exit("c0", "c1")
        assert again.took() == ["spawn c0"]
        again.on("c0", Observed(Level.LIVE)).exit("c0", after=2.0).tick().tick()
        assert set(again.took()) == {"spawn c0", "spawn c1"}
        stopped = self._up("a.example", "a.example").exit("c0", "c1")
        stopped.took()
        stopped.stop("c0")
        while not stopped["c1"].alive:
            stopped.tick()
        assert stopped["c0"].alive

    def test_connectors_that_are_restarted_for_silence_together_are_one_too(self) -> None:
        stage = self._up("a.example", "a.example")
        for name in ("c0", "c1"):
            stage.on(name, Silent("no message")).on(name, Broken("stale: no message"))
        stage.took()
        stage.exit("c0", "c1", code=0)
        assert stage.took() == ["spawn c0"]
        assert [len(unit.window) for unit in stage.graph.units.values()] == [1, 0]

    @pytest.mark.parametrize("silent", [False, True])
    def test_those_that_fail_together_again_and_again_come_to_their_limit(self, *, silent: bool) -> None:
        stage = self._up("a.example", "a.example", "a.example")
        for _ in range(20):
            up = [name for name, unit in stage.graph.units.items() if unit.state is State.UP]
            stage.now += 30.0
            for name in up if silent else ():
                stage.on(name, Silent("no message")).on(name, Broken("stale: no message"))
            self._comes_to_rest(stage.exit(*up))
        assert set(stage.states().values()) == {"failed"}
        done = stage.took()
        assert {done.count(f"spawn c{number}") for number in range(3)} <= {10, 11}  # the limit, and a free one

    def test_those_that_were_up_for_long_are_let_off_again(self) -> None:
        stage = self._up("a.example", "a.example")
        for _ in range(3):
            self._comes_to_rest(stage.exit("c0", "c1", after=60.0))
        assert (len(stage["c0"].window), len(stage["c1"].window)) == (3, 0)
        stage.exit("c0", "c1", after=59.0)  # c1 pays: it can start first
        assert (len(stage["c0"].window), len(stage["c1"].window)) == (3, 1)
        self._comes_to_rest(stage).exit("c0", "c1", after=59.0)
        assert (len(stage["c0"].window), len(stage["c1"].window)) == (4, 2)
        self._comes_to_rest(stage).on("c1", Silent("no message"), after=60.0)
        assert not stage["c1"].is_troubled

    def test_whose_wait_is_over_first_goes_first(self) -> None:
        stage = self._up("a.example", "a.example")
        for _ in range(4):
            self._comes_to_rest(stage.exit("c0", after=2.0))
        stage.took()
        stage.exit("c0", after=2.0).exit("c1", after=0.1)
        assert stage.tick().took() == ["spawn c1"]
        assert stage["c0"].why == "one incident of a.example: c1 goes first"


class TestGivingUp:
    @staticmethod
    def _fail(choice: OnLimit, edge: OnRestart = OnRestart.KEEP) -> Stage:
        bf = limited(connector("bf"), 0)
        bf = replace(bf, restart=replace(bf.restart, on_limit=choice))
        stage = Stage().apply(bf, bot("mm", on_restart("bf", edge)))
        stage.on("bf", Observed(Level.CONNECTED)).on("mm", Observed(Level.READY)).done.clear()
        return stage.exit("bf")

    def test_a_kept_bot_that_ends_long_after_what_failed_has_ended_by_itself(self) -> None:
        stage = self._fail(OnLimit.KEEP, OnRestart.RESTART)
        assert stage.is_in("mm", State.UP)
        assert stage.exit("mm", after=1.1).is_in("mm", State.FAILED)

    @pytest.mark.parametrize("choice", [OnLimit.STOP_DEPENDENTS, OnLimit.HALT_STACK])
    def test_what_hangs_on_a_unit_that_failed_for_good_is_stopped_whatever_its_edge_says(self, choice: OnLimit) -> None:
        stage = self._fail(choice)
        assert stage.graph.units["bf"].state is State.FAILED
        assert stage.graph.units["mm"].state is State.STOPPING

    @pytest.mark.parametrize("edge", list(OnRestart))
    def test_kept_it_runs_on_only_where_it_was_not_to_follow_a_restart(self, edge: OnRestart) -> None:
        stage = self._fail(OnLimit.KEEP, edge)
        assert stage.graph.units["bf"].state is State.FAILED
        assert stage.graph.units["mm"].state is State.UP

    def test_only_halt_stack_halts(self) -> None:
        assert [choice for choice in OnLimit if "halt bf" in self._fail(choice).done] == [OnLimit.HALT_STACK]


def test_what_waits_in_a_stack_that_is_found_halted_is_not_started() -> None:
    waiting = Unit(State.WAITING, wanted=True)
    found = Graph({"bf": connector("bf")}, {"bf": waiting})
    assert graphs.settle(found, 100.0)[1] != ()

    graph, todo = graphs.settle(replace(found, halted="halted"), 100.0)
    assert (todo, graph.units["bf"]) == ((), waiting)
