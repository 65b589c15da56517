from __future__ import annotations

import signal
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from orchestrator.deployment.model import Backoff, Kind, Level, RestartPolicy
from orchestrator.supervise import unit as machine
from orchestrator.supervise.unit import (
    SHORTEST_GRACE,
    Begin,
    Broken,
    Exited,
    Held,
    Kill,
    Note,
    Observed,
    Recovered,
    Recycle,
    Release,
    Revive,
    Silent,
    Soften,
    Spawn,
    SpawnFailed,
    Start,
    State,
    Stop,
    Terminate,
    Tick,
    Tidy,
    Unit,
    Unreachable,
)
from tests.supervise.specs import bot, connector, limited, service, spec, startup

if TYPE_CHECKING:
    from orchestrator.deployment.model import UnitSpec
    from orchestrator.supervise.unit import Action, Event

BF = connector("bf")
MM = bot("mm")
PROXY = service("proxy")
EVERY_KIND = [pytest.param(unit, id=unit.kind.value) for unit in (BF, PROXY, MM)]
NOT_BOTS = [pytest.param(unit, id=unit.kind.value) for unit in (BF, PROXY)]
KILLED = -signal.SIGKILL
TERMINATED = -signal.SIGTERM


@dataclass
class Life:
    """One unit on a clock of its own; releases it as soon as it waits, as a graph without edges would."""

    spec: UnitSpec
    now: float = 100.0
    unit: Unit = field(default_factory=Unit)
    births: int = 0
    done: list[Action] = field(default_factory=list)

    def on(self, event: Event, *, after: float = 0.0, noise: float = 0.5) -> list[Action]:
        """Feed `event` `after` seconds from now; return what the unit itself wanted done."""
        self.now += after
        self.unit, actions = machine.step(self.unit, self.spec, event, self.now, noise=noise)
        self.done.extend(actions)
        return list(actions)

    def release(self, *, after: float = 0.0) -> list[Action]:
        self.births += 1
        return self.on(Release(self.births), after=after)

    def tick(self) -> list[Action]:
        """Let time come to the deadline."""
        assert self.unit.deadline is not None
        self.now = max(self.now, self.unit.deadline)
        return self.on(Tick())

    def starting(self) -> Life:
        self.on(Start())
        self.release()
        assert self.unit.state is State.STARTING
        return self

    def up(self) -> Life:
        self.starting()
        self.on(Observed(self.spec.target))
        assert self.unit.state is State.UP
        return self

    def again(self, code: int | None = 1, *, after: float = 0.0) -> float:
        """Die while up, come up again as soon as it may; return how long that took."""
        self.on(Exited(code), after=after)
        died = self.now
        if self.unit.state is State.BACKOFF:
            self.tick()
        self.release()
        self.on(Observed(self.spec.target))
        assert self.unit.state is State.UP
        return self.now - died

    def is_in(self, state: State) -> bool:
        return self.unit.state is state

    def notes(self) -> list[str]:
        return [action.what for action in self.done if isinstance(action, Note)]


def signals(actions: list[Action]) -> list[type[Action]]:
    return [type(action) for action in actions if isinstance(action, Soften | Terminate | Kill)]


class TestStart:
    @pytest.mark.parametrize("unit", EVERY_KIND)
    def test_a_wanted_unit_waits_until_it_is_released_and_then_spawns_once(self, unit: UnitSpec) -> None:
        life = Life(unit)
        assert not any(isinstance(action, Spawn) for action in life.on(Start()))
        assert life.is_in(State.WAITING)
        assert life.release() == [Spawn(unit)]
        assert life.unit.alive
        assert life.is_in(State.STARTING)
        assert life.release() == []

    def test_a_release_that_nobody_waits_for_spawns_nothing(self) -> None:
        life = Life(BF)
        assert life.release() == []
        assert not life.unit.alive

    @pytest.mark.parametrize("level", [Level.STARTED, Level.LIVE])
    def test_a_connector_below_its_target_is_not_up(self, level: Level) -> None:
        life = Life(BF).starting()
        life.on(Observed(level))
        assert (life.unit.state, life.unit.level) == (State.STARTING, level)

    @pytest.mark.parametrize("level", [Level.CONNECTED, Level.FRESH])
    def test_a_connector_at_or_above_its_target_is_up(self, level: Level) -> None:
        life = Life(BF).starting()
        life.on(Observed(level))
        assert (life.unit.state, life.unit.level) == (State.UP, level)

    def test_a_level_is_noted_when_it_changes_and_only_then(self) -> None:
        life = Life(BF).starting()
        for _ in range(3):
            life.on(Observed(Level.LIVE))
        assert life.notes().count("level") == 1

    def test_what_is_seen_of_a_process_that_is_gone_changes_nothing(self) -> None:
        life = Life(BF).up()
        life.on(Exited(1))
        before = life.unit
        assert life.on(Observed(Level.LIVE)) == []
        assert life.unit == before

    @pytest.mark.parametrize("state", ["stopped", "failed", "finished"])
    def test_start_revives_stopped_failed_and_finished_units(self, state: str) -> None:
        life = Life(MM).up()
        if state == "stopped":
            life.on(Stop("down"))
            life.on(Begin())
        life.on(Exited(1 if state == "failed" else 0))
        assert life.unit.state == state
        life.on(Start())
        assert life.unit.state is State.WAITING

    def test_start_of_a_unit_that_is_being_stopped_for_a_failure_is_no_failure(self) -> None:
        life = Life(limited(service("db"), 0)).up()
        life.on(Broken("its channel is gone"))
        life.on(Start())
        life.on(Begin())
        life.on(Exited(-signal.SIGTERM))
        assert (life.unit.state, life.unit.restarts) == (State.WAITING, 0)

    def test_start_leaves_a_unit_alone_that_is_up(self) -> None:
        life = Life(BF).up()
        before = life.unit
        assert life.on(Start()) == []
        assert life.unit == before

    def test_a_spawn_that_fails_is_a_failure_under_the_policy(self) -> None:
        life = Life(BF).starting()
        life.on(SpawnFailed("no such file"))
        assert not life.unit.alive
        assert (life.unit.state, life.unit.restarts) == (State.WAITING, 1)
        life.release()
        life.on(SpawnFailed("no such file"))
        assert life.unit.state is State.BACKOFF

    def test_a_refused_spawn_is_latched_and_not_tried_again(self) -> None:
        life = Life(BF).starting()
        life.on(SpawnFailed("the channel belongs to pid 7", refused=True))
        assert (life.unit.state, life.unit.why) == (State.FAILED, "the channel belongs to pid 7")
        assert life.unit.restarts == 0
        assert life.unit.deadline is None

    @pytest.mark.parametrize("refused", [False, True])
    def test_a_spawn_that_fails_after_the_operator_stopped_the_unit_leaves_it_stopped(self, refused: bool) -> None:  # noqa: FBT001 - pytest's
        life = Life(BF).starting()
        life.on(Stop("down"))
        life.on(SpawnFailed("no such file", refused=refused))
        assert life.unit.state is State.STOPPED
        assert life.unit.stopping is None


class TestExit:
    @pytest.mark.parametrize("unit", NOT_BOTS)
    @pytest.mark.parametrize("code", [0, 1, 101, KILLED, TERMINATED, None])
    def test_any_exit_of_a_connector_or_service_is_a_failure(self, unit: UnitSpec, code: int | None) -> None:
        life = Life(unit).up()
        life.on(Exited(code))
        assert (life.unit.state, life.unit.restarts, life.unit.exit) == (State.WAITING, 1, code)

    @pytest.mark.parametrize("unit", NOT_BOTS)
    @pytest.mark.parametrize(
        ("policy", "state"),
        [
            (RestartPolicy.NEVER, State.FAILED),
            (RestartPolicy.ON_FAILURE, State.WAITING),
            (RestartPolicy.ALWAYS, State.WAITING),
        ],
    )
    def test_the_policy_decides_what_follows_a_connectors_exit_0(
        self, unit: UnitSpec, policy: RestartPolicy, state: State
    ) -> None:
        life = Life(replace(unit, restart=replace(unit.restart, policy=policy))).up()
        life.on(Exited(0))
        assert life.unit.state is state

    @pytest.mark.parametrize(
        ("policy", "code", "state"),
        [
            (RestartPolicy.NEVER, 0, State.FINISHED),
            (RestartPolicy.NEVER, 1, State.FAILED),
            (RestartPolicy.NEVER, None, State.FAILED),
            (RestartPolicy.ON_FAILURE, 0, State.FINISHED),
            (RestartPolicy.ON_FAILURE, 1, State.WAITING),
            (RestartPolicy.ON_FAILURE, TERMINATED, State.WAITING),
            (RestartPolicy.ALWAYS, 0, State.WAITING),
            (RestartPolicy.ALWAYS, 1, State.WAITING),
        ],
    )
    def test_a_bot_that_exits_0_by_itself_is_finished_unless_the_policy_is_always(
        self, policy: RestartPolicy, code: int | None, state: State
    ) -> None:
        life = Life(bot("mm", policy=policy)).up()
        life.on(Exited(code))
        assert life.unit.state is state

    def test_a_second_exit_of_one_process_changes_nothing(self) -> None:
        life = Life(BF).up()
        life.on(Exited(1))
        before = life.unit
        assert life.on(Exited(1)) == []
        assert life.unit == before

    def test_an_exit_that_went_with_a_dependency_spends_no_budget(self) -> None:
        life = Life(limited(MM, 0)).up()
        life.on(Exited(1, propagated=True))
        assert (life.unit.state, life.unit.window, life.unit.restarts) == (State.WAITING, (), 1)

    def test_death_by_sigbus_points_at_shared_memory(self) -> None:
        life = Life(BF).up()
        life.on(Exited(-signal.SIGBUS))
        assert "/dev/shm" in (life.unit.why or "")


class TestBackoff:
    def test_the_first_restart_is_at_once_and_the_delays_then_double(self) -> None:
        life = Life(BF).up()
        assert [life.again(after=1.5) for _ in range(6)] == pytest.approx([0.0, 0.1, 0.2, 0.4, 0.8, 1.6])
        assert life.unit.restarts == 6

    def test_the_noise_that_is_handed_in_spreads_the_delay(self) -> None:
        life = Life(replace(BF, restart=replace(BF.restart, backoff=Backoff(jitter=0.5)))).up()
        life.again()
        life.on(Exited(1), noise=0.0)
        assert life.unit.deadline == pytest.approx(life.now + 0.05)

    def test_a_backoff_ends_at_its_deadline_and_not_before(self) -> None:
        life = Life(BF).up()
        life.again()
        life.on(Exited(1))
        assert life.unit.deadline == pytest.approx(life.now + 0.1)
        life.on(Tick(), after=0.05)
        assert life.is_in(State.BACKOFF)
        life.on(Tick(), after=0.051)
        assert life.is_in(State.WAITING)

    def test_being_up_for_stable_resets_the_backoff(self) -> None:
        life = Life(BF).up()
        for _ in range(4):
            life.again(after=1.5)
        assert life.again(after=59.9) == pytest.approx(0.8)
        assert life.again(after=60.0) == 0.0
        assert life.again(after=1.5) == pytest.approx(0.1)

    def test_time_spent_starting_is_not_time_spent_up(self) -> None:
        life = Life(BF).up()
        life.again()
        life.on(Exited(1))
        life.tick()
        life.release()
        life.on(Observed(Level.LIVE))
        life.on(Exited(1), after=100.0)
        assert life.unit.deadline == pytest.approx(life.now + 0.2)

    def test_a_channel_that_breaks_after_stable_resets_the_backoff_too(self) -> None:
        life = Life(BF).up()
        for _ in range(4):
            life.again(after=1.5)
        life.on(Broken("SPLIT"), after=3600.0)
        life.on(Begin())
        life.on(Exited(0))
        assert life.unit.state is State.WAITING

    def test_a_stop_that_takes_longer_than_stable_does_not_reset_the_backoff(self) -> None:
        life = Life(BF).up()
        life.again()
        life.on(Broken("SPLIT"), after=1.0)
        life.on(Exited(0), after=100.0)
        assert life.unit.state is State.BACKOFF


class TestLimit:
    def test_the_limit_latches_the_failure_that_would_exceed_it(self) -> None:
        life = Life(limited(BF, 3)).up()
        for _ in range(3):
            life.again(after=1.5)
        life.on(Exited(1), after=1.5)
        assert life.unit.state is State.FAILED
        assert life.unit.restarts == 3
        assert "3 restarts within 600 s" in (life.unit.why or "")
        assert life.unit.deadline is None

    def test_a_limit_of_0_allows_no_restart(self) -> None:
        life = Life(limited(BF, 0)).up()
        life.on(Exited(1))
        assert life.unit.state is State.FAILED

    def test_restarts_that_left_the_window_no_longer_count(self) -> None:
        life = Life(limited(BF, 2, window=10.0)).up()
        life.again(after=1.5)
        life.again(after=5.0)
        life.again(after=5.0)
        life.on(Exited(1), after=1.0)
        assert life.unit.state is State.FAILED

    def test_being_stable_does_not_empty_the_window(self) -> None:
        life = Life(limited(BF, 1, window=600.0)).up()
        life.again(after=1.5)
        life.on(Exited(1), after=120.0)
        assert life.unit.state is State.FAILED

    def test_nothing_but_the_operator_revives_what_the_limit_latched(self) -> None:
        life = Life(limited(BF, 0)).up()
        life.on(Exited(1))
        before = life.unit
        for event in (Tick(), Release(9), Recycle("bf restarted"), Begin(), Broken("SPLIT"), Observed(Level.LIVE)):
            assert life.on(event, after=1000.0) == []
        assert life.unit == before

    def test_the_operators_start_gives_the_whole_budget_back(self) -> None:
        life = Life(limited(BF, 1)).up()
        life.again()
        life.on(Exited(1))
        life.on(Start())
        life.release()
        life.on(Observed(Level.CONNECTED))
        assert life.again() == 0.0


class TestTransientStart:
    def test_it_is_retried_after_0_100_200_and_400_ms_and_not_counted(self) -> None:
        life = Life(BF).starting()
        delays = []
        for _ in range(4):
            life.on(Exited(1), after=0.02)
            died = life.now
            if life.unit.state is State.BACKOFF:
                life.tick()
            life.release()
            delays.append(life.now - died)
        assert delays == pytest.approx([0.0, 0.1, 0.2, 0.4])
        assert (life.unit.restarts, life.unit.window, life.unit.failures) == (0, (), 0)
        assert life.notes().count("retry") == 4

    def test_the_fifth_death_is_a_failure(self) -> None:
        life = Life(BF).starting()
        for _ in range(4):
            life.on(Exited(1), after=0.02)
            if life.unit.state is State.BACKOFF:
                life.tick()
            life.release()
        life.on(Exited(1), after=0.02)
        assert (life.unit.restarts, len(life.unit.window)) == (1, 1)

    def test_after_the_fifth_death_the_next_start_has_its_retries_again(self) -> None:
        life = Life(BF).starting()
        for _ in range(6):
            life.on(Exited(1), after=0.02)
            if life.unit.state is State.BACKOFF:
                life.tick()
            life.release()
        assert life.unit.restarts == 1
        assert life.notes().count("retry") == 5

    def test_the_policy_never_is_no_obstacle_to_a_retry(self) -> None:
        life = Life(connector("bf", policy=RestartPolicy.NEVER)).starting()
        life.on(Exited(1), after=0.02)
        assert life.unit.state is State.WAITING

    def test_a_start_that_died_after_its_first_second_is_a_failure(self) -> None:
        life = Life(BF).starting()
        life.on(Exited(1), after=1.01)
        assert life.unit.restarts == 1

    def test_a_start_whose_channel_was_live_is_a_failure(self) -> None:
        life = Life(BF).starting()
        life.on(Observed(Level.LIVE), after=0.02)
        life.on(Observed(Level.STARTED), after=0.02)
        life.on(Exited(1), after=0.02)
        assert life.unit.restarts == 1

    @pytest.mark.parametrize("kind", [Kind.SERVICE, Kind.BOT])
    def test_only_connectors_have_such_starts(self, kind: Kind) -> None:
        life = Life(spec("x", kind, policy=RestartPolicy.ON_FAILURE)).starting()
        life.on(Exited(1), after=0.02)
        assert life.unit.restarts == 1

    def test_no_retry_would_begin_after_startup(self) -> None:
        life = Life(startup(BF, 0.25)).starting()
        life.on(Exited(1), after=0.05)
        life.release()
        life.on(Exited(1), after=0.05)
        assert life.unit.state is State.BACKOFF
        life.tick()
        life.release()
        assert life.unit.restarts == 0
        life.on(Exited(1), after=0.02)
        assert life.unit.restarts == 1

    def test_retries_share_one_startup(self) -> None:
        life = Life(startup(BF, 0.5)).starting()
        begun = life.now
        life.on(Exited(1), after=0.2)
        life.release()
        assert life.unit.deadline == pytest.approx(begun + 0.5)

    def test_a_retry_that_had_to_wait_for_its_dependencies_has_a_startup_of_its_own(self) -> None:
        life = Life(BF).starting()
        life.on(Exited(1), after=0.02)
        life.release(after=20.0)
        assert life.unit.deadline == pytest.approx(life.now + 10.0)

    def test_a_connector_that_came_up_has_all_its_retries_again(self) -> None:
        life = Life(BF).starting()
        for _ in range(3):
            life.on(Exited(1), after=0.02)
            if life.unit.state is State.BACKOFF:
                life.tick()
            life.release()
        life.on(Observed(Level.CONNECTED))
        life.on(Exited(1), after=5.0)
        life.release()
        life.on(Exited(1), after=0.02)
        assert life.unit.state is State.WAITING
        assert life.unit.restarts == 1


class TestStartupRunsOut:
    @pytest.mark.parametrize("level", [None, Level.STARTED])
    def test_below_live_is_a_failure_under_the_restart_policy(self, level: Level | None) -> None:
        life = Life(BF).starting()
        if level:
            life.on(Observed(level))
        assert life.unit.deadline == life.now + 10.0
        life.tick()
        assert life.unit.state is State.STOPPING
        assert "not live within 10 s" in (life.unit.why or "")
        assert signals(life.on(Begin())) == [Soften, Terminate]
        life.on(Exited(0))
        assert (life.unit.state, life.unit.restarts) == (State.WAITING, 1)

    def test_below_live_is_latched_when_the_policy_is_never(self) -> None:
        life = Life(connector("bf", policy=RestartPolicy.NEVER)).starting()
        life.tick()
        life.on(Begin())
        life.on(Exited(0))
        assert life.unit.state is State.FAILED

    def test_live_but_not_connected_stays_starting_and_spends_no_budget(self) -> None:
        life = Life(BF).starting()
        life.on(Observed(Level.LIVE))
        assert signals(life.tick()) == []
        assert (life.unit.state, life.unit.overdue, life.unit.restarts) == (State.STARTING, True, 0)
        assert "not connected within 10 s" in (life.unit.why or "")
        assert life.unit.deadline is None

    def test_live_but_not_connected_comes_up_whenever_the_exchange_answers(self) -> None:
        life = Life(BF).starting()
        life.on(Observed(Level.LIVE))
        life.tick()
        life.on(Observed(Level.CONNECTED), after=3600.0)
        assert (life.unit.state, life.unit.overdue) == (State.UP, False)

    def test_a_bot_that_attaches_to_nothing_stays_starting(self) -> None:
        life = Life(MM).starting()
        life.on(Observed(Level.STARTED))
        assert signals(life.tick()) == []
        assert (life.unit.state, life.unit.overdue, life.unit.restarts) == (State.STARTING, True, 0)
        assert "ready" in (life.unit.why or "")

    def test_a_service_that_is_not_ready_has_failed_to_start(self) -> None:
        life = Life(PROXY).starting()
        life.tick()
        life.on(Begin())
        life.on(Exited(TERMINATED))
        assert (life.unit.state, life.unit.restarts) == (State.WAITING, 1)

    @pytest.mark.parametrize("unit", EVERY_KIND)
    def test_what_is_up_in_time_is_not_overdue(self, unit: UnitSpec) -> None:
        life = Life(unit).up()
        assert life.unit.deadline is None
        life.on(Tick(), after=100.0)
        assert (life.unit.state, life.unit.overdue) == (State.UP, False)

    def test_a_second_up_waits_a_whole_startup_for_what_is_overdue(self) -> None:
        life = Life(BF).starting()
        life.on(Observed(Level.LIVE))
        life.tick()
        life.on(Start(), after=5.0)
        assert (life.unit.overdue, life.unit.deadline) == (False, life.now + 10.0)
        life.tick()
        assert life.unit.overdue


class TestStop:
    @pytest.mark.parametrize("unit", EVERY_KIND)
    def test_no_signal_is_sent_before_the_stop_may_begin(self, unit: UnitSpec) -> None:
        life = Life(unit).up()
        assert signals(life.on(Stop("down"))) == []
        assert life.unit.state is State.STOPPING
        assert signals(life.on(Tick(), after=1000.0)) == []
        assert signals(life.on(Begin())) in ([Terminate], [Soften, Terminate])

    def test_a_connector_gets_sigterm_every_50_ms_until_it_is_gone(self) -> None:
        life = Life(BF).up()
        life.on(Stop("down"))
        assert signals(life.on(Begin())) == [Soften, Terminate]
        for _ in range(10):
            before = life.now
            assert signals(life.tick()) == [Terminate]
            assert life.now - before == pytest.approx(0.05)
        life.on(Exited(0))
        assert (life.unit.state, life.unit.unclean, life.unit.deadline) == (State.STOPPED, None, None)

    def test_what_a_connector_leaves_is_tidied_once_it_is_down_to_stay(self) -> None:
        life = Life(BF).up()
        life.on(Stop("down"))
        life.on(Begin())
        assert Tidy(BF) in life.on(Exited(1))

    def test_what_a_connector_leaves_is_tidied_when_it_is_wanted_no_more_also_if_it_was_down_before(self) -> None:
        life = Life(replace(BF, restart=replace(BF.restart, policy=RestartPolicy.NEVER))).up()
        assert not any(isinstance(action, Tidy) for action in life.on(Exited(1)))
        assert Tidy(life.spec) in life.on(Stop("down"))

    def test_a_connector_that_starts_again_is_not_tidied(self) -> None:
        life = Life(BF).up()
        life.again()
        life.on(Recycle("changed"))
        life.on(Begin())
        life.on(Exited(1))
        assert not any(isinstance(action, Tidy) for action in life.done)

    def test_what_has_no_channel_is_not_tidied(self) -> None:
        life = Life(MM).up()
        life.on(Stop("down"))
        life.on(Begin())
        life.on(Exited(0))
        assert not any(isinstance(action, Tidy) for action in life.done)

    def test_a_connector_is_killed_when_its_grace_runs_out_and_not_before(self) -> None:
        life = Life(BF).up()
        life.on(Stop("down"))
        life.on(Begin())
        begun = life.now
        sent = []
        while Kill not in sent:
            sent = signals(life.tick())
        assert life.now - begun == pytest.approx(5.0)
        assert sent == [Kill]
        assert life.unit.state is State.STOPPING

    @pytest.mark.parametrize("unit", [MM, PROXY])
    def test_a_bot_or_service_gets_one_sigterm_and_then_its_whole_grace(self, unit: UnitSpec) -> None:
        life = Life(unit).up()
        life.on(Stop("down"))
        assert signals(life.on(Begin())) == [Terminate]
        begun = life.now
        assert signals(life.tick()) == [Kill]
        assert life.now - begun == pytest.approx(unit.grace)

    @pytest.mark.parametrize("unit", EVERY_KIND)
    def test_a_unit_that_lives_a_second_after_sigkill_is_lost_and_gets_no_more_signals(self, unit: UnitSpec) -> None:
        life = Life(unit).up()
        life.on(Stop("down"))
        life.on(Begin())
        while not life.unit.stopping or not life.unit.stopping.killed:
            life.tick()
        killed = life.now
        life.on(Tick(), after=0.9)
        assert life.unit.state is State.STOPPING
        assert signals(life.tick()) == []
        assert life.now - killed == pytest.approx(1.0)
        assert (life.unit.state, life.unit.alive, life.unit.deadline) == (State.LOST, True, None)

    def test_a_lost_unit_is_not_restarted_while_its_process_lives(self) -> None:
        life = Life(BF).up()
        life.on(Recycle("changed"))
        life.on(Begin())
        while not life.is_in(State.LOST):
            life.tick()
        for event in (Start(), Release(9), Tick(), Recycle("again"), Revive("again"), Begin()):
            assert not any(isinstance(action, Spawn) for action in life.on(event))
        assert life.is_in(State.LOST)
        life.on(Exited(KILLED))
        assert life.is_in(State.WAITING)

    @pytest.mark.parametrize("code", [0, 1, TERMINATED, KILLED, None])
    def test_a_connectors_exit_while_stopping_is_a_success(self, code: int | None) -> None:
        life = Life(BF).up()
        life.on(Stop("down"))
        life.on(Begin())
        life.on(Exited(code))
        assert (life.unit.state, life.unit.unclean, life.unit.restarts) == (State.STOPPED, None, 0)

    @pytest.mark.parametrize("unit", EVERY_KIND)
    @pytest.mark.parametrize("code", [KILLED, None])
    def test_an_end_by_our_sigkill_is_unclean(self, unit: UnitSpec, code: int | None) -> None:
        life = Life(unit).up()
        life.on(Stop("down"))
        life.on(Begin())
        while not life.unit.stopping or not life.unit.stopping.killed:
            life.tick()
        life.on(Exited(code))
        assert life.unit.state is State.STOPPED
        assert "SIGKILL" in (life.unit.unclean or "")

    @pytest.mark.parametrize("unit", EVERY_KIND)
    def test_an_exit_just_before_our_sigkill_reached_it_is_clean(self, unit: UnitSpec) -> None:
        life = Life(unit).up()
        life.on(Stop("down"))
        life.on(Begin())
        while not life.unit.stopping or not life.unit.stopping.killed:
            life.tick()
        life.on(Exited(0))
        assert life.unit.unclean is None

    @pytest.mark.parametrize(
        ("code", "clean"), [(0, True), (TERMINATED, True), (None, True), (1, False), (143, False), (KILLED, False)]
    )
    def test_a_bots_stop_is_clean_by_0_or_by_the_signal_that_we_sent(self, code: int | None, clean: bool) -> None:  # noqa: FBT001 - pytest's
        life = Life(MM).up()
        life.on(Stop("down"))
        life.on(Begin())
        life.on(Exited(code))
        assert life.unit.state is State.STOPPED
        assert (life.unit.unclean is None) is clean

    def test_an_end_by_our_sigkill_is_clean_where_no_wait_was_asked_for(self) -> None:
        life = Life(MM).up()
        life.on(Stop("down", grace=0.0), after=5.0)
        life.on(Begin())
        assert signals(life.tick()) == [Kill]
        life.on(Exited(KILLED))
        assert (life.unit.state, life.unit.unclean) == (State.STOPPED, None)

    def test_the_next_start_forgets_an_unclean_end(self) -> None:
        life = Life(MM).up()
        life.on(Stop("down"))
        life.on(Begin())
        life.on(Exited(1))
        life.on(Start())
        assert life.unit.unclean is None

    def test_a_stop_replaces_the_grace(self) -> None:
        life = Life(MM).up()
        life.on(Stop("down", grace=0.0), after=5.0)
        life.on(Begin())
        begun = life.now
        assert signals(life.tick()) == [Kill]
        assert life.now == begun + SHORTEST_GRACE

    def test_no_hurry_kills_in_the_first_second_of_a_start(self) -> None:
        life = Life(MM).starting()
        born = life.now
        life.on(Stop("down", grace=0.0), after=0.3)
        life.on(Begin())
        assert signals(life.tick()) == [Kill]
        assert life.now == pytest.approx(born + 1.0)

    def test_no_later_hurry_kills_in_the_first_second_of_a_start(self) -> None:
        life = Life(MM).starting()
        born = life.now
        life.on(Stop("down"), after=0.3)
        life.on(Begin())
        life.on(Stop("down", grace=0.0), after=0.3)
        assert signals(life.tick()) == [Kill]
        assert life.now == pytest.approx(born + 1.0)

    def test_a_grace_of_its_own_may_run_out_in_the_first_second_of_a_start(self) -> None:
        life = Life(replace(MM, grace=0.4)).starting()
        born = life.now
        life.on(Stop("down", grace=0.0))
        life.on(Begin())
        assert signals(life.tick()) == [Kill]
        assert life.now == pytest.approx(born + 0.4)

    @pytest.mark.parametrize(("first", "then", "total"), [(60.0, 0.0, 7.0), (60.0, 30.0, 30.0), (1.0, 60.0, 1.0)])
    def test_a_second_stop_shortens_the_grace_and_never_lengthens_it(
        self, first: float, then: float, total: float
    ) -> None:
        life = Life(replace(MM, grace=first)).up()
        life.on(Stop("down"))
        life.on(Begin())
        begun = life.now
        life.on(Stop("down", grace=then), after=min(7.0, first / 2))
        assert signals(life.tick()) == [Kill]
        assert life.now - begun == pytest.approx(total)

    def test_a_second_stop_after_sigkill_sends_no_second_one(self) -> None:
        life = Life(MM).up()
        life.on(Stop("down", grace=0.0))
        life.on(Begin())
        life.tick()
        life.on(Stop("down", grace=0.0), after=0.1)
        assert signals(life.tick()) == []
        assert life.unit.state is State.LOST

    def test_a_second_begin_sends_nothing(self) -> None:
        life = Life(BF).up()
        life.on(Stop("down"))
        life.on(Begin())
        assert life.on(Begin()) == []

    def test_stopping_what_only_waits_needs_no_signal(self) -> None:
        life = Life(BF)
        life.on(Start())
        assert signals(life.on(Stop("down"))) == []
        assert life.unit.state is State.STOPPED

    def test_stopping_in_backoff_ends_the_backoff(self) -> None:
        life = Life(BF).up()
        life.again()
        life.on(Exited(1))
        life.on(Stop("down"))
        assert (life.unit.state, life.unit.deadline) == (State.STOPPED, None)
        life.on(Tick(), after=100.0)
        assert life.unit.state is State.STOPPED

    def test_stopping_clears_the_latch_of_a_failed_unit(self) -> None:
        life = Life(MM).up()
        life.on(Exited(1))
        life.on(Stop("down"))
        assert life.unit.state is State.STOPPED

    def test_a_stop_during_the_start_is_carried_out(self) -> None:
        life = Life(BF).starting()
        life.on(Stop("down"), after=0.01)
        assert life.unit.state is State.STOPPING
        life.on(Begin())
        life.on(Exited(TERMINATED))
        assert (life.unit.state, life.unit.restarts) == (State.STOPPED, 0)

    def test_a_level_reached_while_stopping_does_not_bring_the_unit_up(self) -> None:
        life = Life(BF).starting()
        life.on(Stop("down"))
        life.on(Begin())
        life.on(Observed(Level.CONNECTED))
        assert life.unit.state is State.STOPPING

    def test_startup_running_out_does_not_end_a_stop(self) -> None:
        life = Life(BF).starting()
        life.on(Stop("down"), after=9.9)
        assert life.unit.deadline is None

    def test_a_start_during_a_stop_starts_again_after_it_and_counts_no_restart(self) -> None:
        life = Life(BF).up()
        life.on(Stop("down"))
        life.on(Begin())
        life.on(Start())
        assert life.unit.state is State.STOPPING
        life.on(Exited(0))
        assert (life.unit.state, life.unit.restarts) == (State.WAITING, 0)

    def test_a_stop_takes_back_a_start_during_a_stop(self) -> None:
        life = Life(BF).up()
        life.on(Stop("down"))
        life.on(Start())
        life.on(Stop("down"))
        life.on(Begin())
        life.on(Exited(0))
        assert life.unit.state is State.STOPPED


class TestRecycle:
    @pytest.mark.parametrize("unit", EVERY_KIND)
    def test_it_starts_again_whatever_the_policy_says_and_spends_no_budget(self, unit: UnitSpec) -> None:
        never = replace(unit, restart=replace(unit.restart, policy=RestartPolicy.NEVER))
        life = Life(limited(never, 0)).up()
        life.on(Recycle("bf restarted"))
        life.on(Begin())
        life.on(Exited(0))
        assert (life.unit.state, life.unit.restarts, life.unit.window) == (State.WAITING, 1, ())

    def test_a_change_by_the_operator_is_no_restart(self) -> None:
        life = Life(BF).up()
        life.on(Recycle("changed: env", counted=False))
        life.on(Begin())
        life.on(Exited(0))
        assert (life.unit.state, life.unit.restarts) == (State.WAITING, 0)

    def test_a_stop_wins_over_it(self) -> None:
        life = Life(BF).up()
        life.on(Recycle("bf restarted"))
        life.on(Stop("down"))
        life.on(Begin())
        life.on(Exited(0))
        assert life.unit.state is State.STOPPED

    def test_it_does_not_win_over_a_stop(self) -> None:
        life = Life(BF).up()
        life.on(Stop("down"))
        life.on(Recycle("bf restarted"))
        life.on(Begin())
        life.on(Exited(0))
        assert life.unit.state is State.STOPPED

    def test_its_stop_uses_the_grace_that_the_process_was_started_with(self) -> None:
        life = Life(MM).up()
        life.spec = replace(MM, grace=1.0)
        life.on(Recycle("changed"))
        life.on(Begin())
        assert life.unit.deadline == life.now + 60.0

    def test_the_next_process_is_started_from_the_new_spec(self) -> None:
        life = Life(MM).up()
        life.spec = replace(MM, cwd="/elsewhere")
        life.on(Recycle("changed"))
        life.on(Begin())
        life.on(Exited(0))
        assert life.release() == [Spawn(life.spec)]


class TestRevive:
    @pytest.mark.parametrize("code", [0, 1])
    def test_a_bot_that_went_with_its_connector_starts_again(self, code: int) -> None:
        life = Life(MM).up()
        life.on(Exited(code))
        life.on(Revive("bf died with it"))
        assert (life.unit.state, life.unit.restarts) == (State.WAITING, 1)

    def test_its_exit_spends_no_budget_after_all(self) -> None:
        life = Life(limited(bot("mm", policy=RestartPolicy.ON_FAILURE), 3)).up()
        for _ in range(2):
            life.again(after=1.5)
        life.on(Exited(1), after=1.5)
        life.on(Revive("bf died with it"), after=0.1)
        assert life.unit.state is State.WAITING
        assert (len(life.unit.window), life.unit.failures, life.unit.restarts) == (2, 2, 3)

    def test_an_operators_stop_is_not_undone(self) -> None:
        life = Life(MM).up()
        life.on(Stop("down"))
        life.on(Begin())
        life.on(Exited(0))
        life.on(Revive("bf died with it"))
        assert life.unit.state is State.STOPPED


class TestBroken:
    def test_a_broken_channel_is_a_failure_after_an_ordinary_stop(self) -> None:
        life = Life(BF).up()
        life.on(Broken("SPLIT"))
        assert life.unit.state is State.STOPPING
        assert signals(life.on(Begin())) == [Soften, Terminate]
        life.on(Exited(0))
        assert (life.unit.state, life.unit.restarts, life.unit.why) == (State.WAITING, 1, "SPLIT")

    def test_a_broken_channel_under_the_policy_never_is_latched(self) -> None:
        life = Life(connector("bf", policy=RestartPolicy.NEVER)).up()
        life.on(Broken("SPLIT"))
        life.on(Begin())
        life.on(Exited(0))
        assert life.unit.state is State.FAILED

    def test_the_operators_stop_wins_over_it(self) -> None:
        life = Life(BF).up()
        life.on(Broken("SPLIT"))
        life.on(Stop("down"))
        life.on(Begin())
        life.on(Exited(0))
        assert (life.unit.state, life.unit.restarts) == (State.STOPPED, 0)

    def test_it_is_no_news_of_a_unit_that_stops(self) -> None:
        life = Life(BF).up()
        life.on(Stop("down"))
        assert life.on(Broken("MISSING")) == []


class TestStale:
    def test_a_silent_connector_is_stale_and_recovers_with_the_same_process(self) -> None:
        life = Life(BF).up()
        assert life.on(Silent("no message for 30 s"), after=5.0) == [Note("stale", "no message for 30 s")]
        assert (life.unit.state, life.unit.why, life.unit.since) == (State.STALE, "no message for 30 s", life.now)
        assert life.on(Silent("no message for 30 s")) == []
        assert life.on(Recovered(), after=2.5) == [Note("recovered", "it was stale for 2.5 s")]
        assert (life.unit.state, life.unit.why, life.unit.restarts) == (State.UP, None, 0)

    @pytest.mark.parametrize("state", [State.STARTING, State.WAITING])
    def test_what_is_not_up_is_not_stale(self, state: State) -> None:
        life = Life(BF).starting()
        if state is State.WAITING:
            life.on(Exited(1))
        before = life.unit
        assert before.state is state
        for event in (Silent("no message"), Recovered(), Unreachable("x")):
            assert life.on(event) == []
        assert life.unit == before

    def test_an_exchange_that_does_not_answer_is_said_once_and_spends_nothing(self) -> None:
        life = Life(BF).up()
        life.on(Silent("no message for 30 s"))
        assert [note.what for note in life.on(Unreachable("a.example")) if isinstance(note, Note)] == ["unreachable"]
        assert life.on(Unreachable("a.example")) == []
        assert life.unit.why == "no message for 30 s (exchange unreachable: a.example)"
        life.on(Unreachable("b.example"))
        assert life.unit.why == "no message for 30 s (exchange unreachable: b.example)"
        assert (life.unit.state, life.unit.restarts, life.unit.window) == (State.STALE, 0, ())

    def test_a_restart_for_silence_is_a_failure_that_the_policy_decides_on(self) -> None:
        life = Life(BF).up()
        life.on(Silent("no message"))
        life.on(Broken("stale: no message"))
        assert life.is_in(State.STOPPING)
        life.on(Begin())
        life.on(Exited(0))
        assert (life.unit.state, life.unit.restarts, len(life.unit.window)) == (State.WAITING, 1, 1)

    def test_being_up_for_long_before_it_fell_silent_resets_the_backoff(self) -> None:
        life = Life(BF).up()
        for _ in range(3):
            life.again()
        life.on(Silent("no message"), after=life.spec.restart.stable)
        assert life.unit.failures == 0


class TestHeld:
    def test_a_start_that_is_held_is_tried_again_and_is_no_failure(self) -> None:
        life = Life(BF).up()
        life.on(Exited(1))
        life.release()
        assert life.on(Held("too many starts", 6.0)) == [Note("held", "too many starts")]
        unit = life.unit
        assert (unit.state, unit.alive, unit.why, unit.deadline) == (
            State.BACKOFF,
            False,
            "too many starts",
            life.now + 6.0,
        )
        assert len(unit.window) == 1
        life.tick()
        assert life.release() == [Spawn(BF)]
        assert life.on(Held("too many starts", 6.0), after=0.01) == [Note("held", "too many starts")]

    def test_one_that_is_not_wanted_any_more_is_stopped(self) -> None:
        life = Life(BF).starting()
        life.on(Stop("down"))
        life.on(Held("too many starts", 6.0))
        assert (life.unit.state, life.unit.alive) == (State.STOPPED, False)
