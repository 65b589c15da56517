"""Whole stacks under random events, on a model of processes: what no sequence of events may ever lead to."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from orchestrator.deployment.model import (
    Backoff,
    Dependency,
    Endpoint,
    Kind,
    Level,
    Limit,
    OnRestart,
    Restart,
    RestartPolicy,
    UnitSpec,
    reaches,
)
from orchestrator.supervise import graph as graphs
from orchestrator.supervise.graph import Graph
from orchestrator.supervise.unit import (
    Appeared,
    Broken,
    Exited,
    Kill,
    LetGo,
    Observed,
    Recovered,
    Recycle,
    Silent,
    Soften,
    Spawn,
    SpawnFailed,
    Start,
    State,
    Terminate,
    Tick,
    Unreachable,
)
from tests.supervise.specs import deployment, spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from orchestrator.supervise.graph import Todo
    from orchestrator.supervise.unit import Event, Unit

KINDS = {"s0": Kind.SERVICE, "s1": Kind.SERVICE, "c0": Kind.CONNECTOR, "c1": Kind.CONNECTOR, "c2": Kind.CONNECTOR} | {
    f"b{number}": Kind.BOT for number in range(4)
}
GRACES = {Kind.SERVICE: 1.0, Kind.CONNECTOR: 0.4, Kind.BOT: 3.0}
NAMES = st.sampled_from(sorted(KINDS))
PICKS = st.integers(0, len(KINDS) - 1)
CODES = st.sampled_from([0, 1, 101, -signal.SIGKILL, -signal.SIGTERM, -signal.SIGBUS, None])
BY_HAND = {"c1", "c2"}
"""Connectors that a stack may declare external."""

SLACK = 1e-6
RUNNING = {State.STARTING, State.UP, State.STALE, State.STOPPING, State.LOST}


@dataclass(frozen=True)
class Manner:
    """How the processes of a unit behave from now on."""

    delay: float = 0.02
    code: int = 0
    deaf: bool = False
    stuck: bool = False
    spawns: bool = True


@dataclass
class Process:
    """A process as the kernel would know it; `asked` says that the operator wanted it gone."""

    spec: UnitSpec
    number: int
    born: float
    graces: set[float]
    level: Level | None = None
    lived: bool = False
    softened: bool = False
    terms: list[float] = field(default_factory=list)
    killed: bool = False
    hurried: bool = False
    asked: bool = False
    ends: float | None = None
    code: int | None = None


SOUNDS = st.sampled_from([Silent("no message"), Silent("no message"), Recovered(), Unreachable("a.example")])

MANNERS = st.builds(
    Manner,
    delay=st.sampled_from([0.0, 0.01, 0.12, 2.0]),
    code=st.sampled_from([0, 1, -signal.SIGTERM]),
    deaf=st.booleans(),
    stuck=st.booleans(),
    spawns=st.sampled_from([True, True, True, False]),
)


@st.composite
def stacks(draw: st.DrawFn) -> tuple[UnitSpec, ...]:
    """Return units in topological order; connectors and services never depend on bots."""
    names = [name for name in draw(st.permutations(sorted(KINDS))) if draw(st.integers(0, 3))]
    names.sort(key=lambda name: KINDS[name] is Kind.BOT)
    units = []
    for place, name in enumerate(names):
        earlier = [other for other in names[:place] if KINDS[name] is Kind.BOT or KINDS[other] is not Kind.BOT]
        needs = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=3)) if earlier else []
        edges = [_edge(draw, other) for other in needs]
        limit = Limit(draw(st.sampled_from([0, 1, 3])), draw(st.sampled_from([5.0, 600.0])))
        policy = draw(st.sampled_from(list(RestartPolicy)))
        unit = spec(name, KINDS[name], *edges)
        units.append(
            replace(
                unit,
                cwd=draw(st.sampled_from(["/", "/", "/elsewhere"])),
                grace=GRACES[unit.kind] * draw(st.sampled_from([1, 1, 2])),
                restart=Restart(policy, Backoff(), stable=20.0, limit=limit),
                external=name in BY_HAND and draw(st.booleans()),
                streams=(Endpoint("a.example", 443),) if unit.kind is Kind.CONNECTOR and draw(st.booleans()) else (),
            )
        )
    return tuple(units)


def _edge(draw: st.DrawFn, other: str) -> Dependency:
    rungs = [None, None, Level.STARTED, Level.LIVE] if KINDS[other] is Kind.CONNECTOR else [None, None, Level.STARTED]
    choices = [OnRestart.RESTART, OnRestart.RESTART, OnRestart.STOP, OnRestart.KEEP]
    return Dependency(other, draw(st.sampled_from(rungs)), draw(st.sampled_from(choices)))


class Stack(RuleBasedStateMachine):
    """The machine performs the graph's actions on processes and checks each of them as it comes."""

    def __init__(self) -> None:
        super().__init__()
        self.graph = Graph()
        self.now = 1000.0
        self.processes: dict[str, Process] = {}
        self.manners: dict[str, Manner] = {}
        self.spawns = 0
        self.finished: set[str] = set()
        self.failures: dict[str, list[float]] = {}
        self.retries: dict[str, int] = {}
        self.failed_at: dict[str, float] = {}
        self.let_go: set[str] = set()

    # --- what the kernel does

    def take(self, outcome: tuple[Graph, Todo]) -> None:
        before = self.graph
        self.graph, todo = outcome
        refused = []
        for name, action in todo:
            match action:
                case Spawn(spec=wanted):
                    self._spawn(name, wanted)
                    if not self._manner(name).spawns:
                        refused.append(name)
                case Soften():
                    process = self.processes[name]
                    assert process.spec.kind is Kind.CONNECTOR
                    assert not process.terms
                    process.softened = True
                    self._nobody_attached_to(name)
                case Terminate():
                    self._terminate(name)
                case Kill():
                    self._kill(name)
                case LetGo():
                    self.let_go.add(name)
                    let_go = self.processes.pop(name) if name in self.processes else None
                    assert let_go is None or let_go.spec.external, "a process of ours is watched no more"
        self.finished |= {name for name, unit in before.units.items() if unit.state is State.FINISHED}
        self.finished |= {name for name, unit in self.graph.units.items() if unit.state is State.FINISHED}
        self.finished -= {name for name, unit in self.graph.units.items() if unit.state is not State.FINISHED}
        for name in refused:
            self._failed(name, self.processes.pop(name), spawned=False)
            self.feed(name, SpawnFailed("no such file"))

    def feed(self, name: str, event: Event) -> None:
        self.take(graphs.step(self.graph, name, event, self.now))

    def _manner(self, name: str) -> Manner:
        return self.manners.get(name, Manner())

    def _spawn(self, name: str, wanted: UnitSpec) -> None:
        assert name not in self.processes, "a second live process of one unit"
        assert self.graph.halted is None, "started although halted"
        assert not wanted.external
        for edge in wanted.depends_on:
            if self.graph.units[edge.unit].state is State.FINISHED:
                continue
            dependency = self.processes[edge.unit]
            assert not dependency.terms
            assert reaches(dependency.level, edge.condition or self.graph.specs[edge.unit].target)
        self.spawns += 1
        self.processes[name] = Process(wanted, self.spawns, self.now, {wanted.grace})
        if name in self.failed_at:
            self._counted(name, wanted)

    def _counted(self, name: str, wanted: UnitSpec) -> None:
        """A unit without dependencies was restarted for a failure: that must be within its limit."""
        at = self.failed_at.pop(name)
        if not wanted.depends_on:
            recent = [other for other in self.failures.get(name, []) if at - other < wanted.restart.limit.window]
            self.failures[name] = [*recent, at]
            assert len(self.failures[name]) <= wanted.restart.limit.restarts

    def _failed(self, name: str, process: Process, *, spawned: bool) -> None:
        """Note a failure as the design counts them: not what was asked for, not a transient start."""
        if process.asked:
            return
        dies_young = process.spec.kind is Kind.CONNECTOR and not process.lived and self.now - process.born <= 1.0
        if dies_young and not process.terms and spawned and self.retries.get(name, 0) < 4:
            self.retries[name] = self.retries.get(name, 0) + 1
            return
        self.retries[name] = 0
        self.failed_at[name] = self.now

    def _terminate(self, name: str) -> None:
        process = self.processes[name]
        assert not process.killed
        assert not process.spec.external
        if process.spec.kind is Kind.CONNECTOR:
            assert process.softened
            assert not process.terms or self.now - process.terms[-1] > 0.05 - SLACK
        else:
            assert not process.terms, "a second SIGTERM"
        process.terms.append(self.now)
        manner = self._manner(name)
        if process.ends is None and not manner.deaf:
            process.ends, process.code = self.now + manner.delay, manner.code

    def _nobody_attached_to(self, name: str) -> None:
        for other, process in self.processes.items():
            unit = self.graph.units[other]
            if process.spec.kind is not Kind.BOT or unit.state is State.LOST:
                continue
            edges = (*process.spec.depends_on, *(unit.running.depends_on if unit.running else ()))
            choices = {edge.on_restart for edge in edges if edge.unit == name}
            assert not choices or OnRestart.KEEP in choices, f"{name} is stopped while its bot {other} is alive"

    def _kill(self, name: str) -> None:
        process = self.processes[name]
        assert not process.killed
        assert process.terms, "SIGKILL before SIGTERM"
        assert not process.spec.external
        waited = self.now - process.terms[0]
        if waited < min(process.graces) - SLACK:
            assert process.hurried, "SIGKILL before the grace ran out"
            assert process.spec.kind is Kind.BOT
            assert self.now - process.born > 1.0 - SLACK, "SIGKILL in the first second of a start"
        process.killed = True
        if not self._manner(name).stuck:
            process.ends, process.code = self.now + 0.001, -signal.SIGKILL

    def exits(self, name: str, code: int | None) -> None:
        process = self.processes.pop(name)
        self._failed(name, process, spawned=True)
        self.feed(name, Exited(code))

    def sees(self, name: str, level: Level) -> None:
        process = self.processes[name]
        process.level = level
        process.lived |= reaches(level, Level.LIVE)
        if reaches(level, process.spec.target) and not process.terms:
            self.retries[name] = 0
        self.feed(name, Observed(level))

    def next_instant(self) -> float | None:
        ends = [process.ends for process in self.processes.values() if process.ends is not None]
        deadline = graphs.deadline(self.graph)
        return min([*ends, *([] if deadline is None else [deadline])], default=None)

    def pass_until(self, until: float) -> None:
        rounds = 0
        while (instant := self.next_instant()) is not None and instant <= until:
            rounds += 1
            assert rounds < 3000, "time does not pass"
            self.now = max(self.now, instant)
            for name, process in list(self.processes.items()):
                if process.ends is not None and process.ends <= self.now:
                    self.exits(name, process.code)
            for name, unit in list(self.graph.units.items()):
                if unit.deadline is not None and unit.deadline <= self.now:
                    self.feed(name, Tick())
        self.now = max(self.now, until)

    def living(self, pick: int) -> str:
        """Return one of the units that have a process, or nothing."""
        names = sorted(self.processes)
        return names[pick % len(names)] if names else ""

    def asked(self, names: Iterable[str]) -> None:
        """The operator intervened: what follows is not the restart policy's doing."""
        for name in names:
            self.failures.pop(name, None)
            self.failed_at.pop(name, None)
            self.retries.pop(name, None)
            if name in self.processes:
                self.processes[name].asked = True

    # --- what happens

    @initialize(units=stacks(), manners=st.dictionaries(NAMES, MANNERS, max_size=4))
    def first(self, units: tuple[UnitSpec, ...], manners: dict[str, Manner]) -> None:
        self.manners = manners
        self.take(graphs.apply(self.graph, deployment(*units), self.now))

    @rule(units=stacks())
    def another_deployment(self, units: tuple[UnitSpec, ...]) -> None:
        self.asked(KINDS)
        for unit in units:
            if unit.name in self.processes:
                self.processes[unit.name].graces.add(unit.grace)
        self.take(graphs.apply(self.graph, deployment(*units), self.now))

    @rule(seconds=st.sampled_from([0.0, 0.03, 0.2, 0.6, 1.1, 4.0, 12.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        self.pass_until(self.now + seconds)

    @rule(pick=PICKS, code=CODES)
    def one_dies(self, pick: int, code: int | None) -> None:
        if name := self.living(pick):
            self.exits(name, code)

    @rule(picks=st.tuples(PICKS, PICKS), codes=st.tuples(CODES, CODES), apart=st.sampled_from([0.0, 0.01, 0.5, 1.5]))
    def two_die(self, picks: tuple[int, int], codes: tuple[int | None, int | None], apart: float) -> None:
        self.one_dies(picks[0], codes[0])
        self.pass_until(self.now + apart)
        self.one_dies(picks[1], codes[1])

    @rule(
        picks=st.lists(PICKS, min_size=2, max_size=6),
        apart=st.sampled_from([0.0, 0.01, 0.3, 0.7]),
        climbs=st.booleans(),
    )
    def an_exchange_drops_its_connectors(self, picks: list[int], apart: float, climbs: bool) -> None:  # noqa: FBT001 - hypothesis calls it by keyword
        if climbs:
            self.all_climb()
        for pick in picks:
            names = sorted(name for name, process in self.processes.items() if process.spec.streams)
            names = [name for name in names if not self.processes[name].spec.external]
            if names:
                self.exits(names[pick % len(names)], 101)
            self.pass_until(self.now + apart)

    @rule(pick=PICKS, code=CODES, times=st.integers(2, 8), climbs=st.booleans())
    def one_dies_again_and_again(self, pick: int, code: int | None, times: int, climbs: bool) -> None:  # noqa: FBT001 - hypothesis calls it by keyword
        name = self.living(pick)
        for _ in range(times):
            if name not in self.processes:
                return
            if climbs:
                self.all_climb()
            if name in self.processes:
                self.exits(name, code)
            self.pass_until(self.now + 0.45)

    @rule(pick=PICKS, level=st.sampled_from([Level.STARTED, Level.LIVE, Level.CONNECTED, Level.FRESH]))
    def one_is_seen(self, pick: int, level: Level) -> None:
        if name := self.living(pick):
            seen = level if KINDS[name] is Kind.CONNECTOR else (Level.STARTED, Level.READY)[level is Level.FRESH]
            self.sees(name, seen)

    @rule()
    def all_climb(self) -> None:
        for _ in KINDS:
            for name in list(self.processes):
                if name in self.processes:
                    self.sees(name, Level.FRESH if KINDS[name] is Kind.CONNECTOR else Level.READY)

    @rule(pick=PICKS)
    def a_channel_breaks(self, pick: int) -> None:
        name = self.living(pick)
        if name and KINDS[name] is Kind.CONNECTOR:
            self.feed(name, Broken("SPLIT"))

    @rule(pick=PICKS, events=st.lists(SOUNDS, min_size=1, max_size=4))
    def messages_stop_and_move_again(self, pick: int, events: list[Event]) -> None:
        self.all_climb()
        heard = {State.UP, State.STALE}
        names = [name for name, unit in self.graph.units.items() if name[0] == "c" and unit.state in heard]
        for event in events if names else ():
            self.feed(names[pick % len(names)], event)

    @rule(name=NAMES, manner=MANNERS)
    def it_behaves(self, name: str, manner: Manner) -> None:
        self.manners[name] = manner

    @rule(name=NAMES)
    def the_operator_starts(self, name: str) -> None:
        if name in self.graph.units:
            self.asked([name])
            self.feed(name, Start())

    @rule(name=NAMES)
    def the_operator_restarts(self, name: str) -> None:
        if name in self.graph.units:
            self.asked([name])
            self.feed(name, Recycle("restart", counted=False))

    @rule(names=st.sets(NAMES, min_size=1, max_size=9), hurry=st.booleans())
    def the_operator_stops(self, names: set[str], hurry: bool) -> None:  # noqa: FBT001 - hypothesis calls it by keyword
        below = graphs.below(self.graph, [name for name in names if name in self.graph.units])
        self.asked(below)
        for name in below:
            if hurry and name in self.processes:
                self.processes[name].hurried = True
        self.take(graphs.stop(self.graph, below, "stop", self.now, hurry=hurry))

    @rule(hurry=st.booleans(), chance=st.integers(0, 5))
    def somebody_halts_it(self, hurry: bool, chance: int) -> None:  # noqa: FBT001 - hypothesis calls it by keyword
        if chance == 5:
            self.asked(self.graph.units)
            for process in self.processes.values():
                process.hurried |= hurry
            self.take(graphs.halt(self.graph, "halted", self.now, hurry=hurry))

    @rule(name=st.sampled_from(sorted(BY_HAND)))
    def somebody_starts_one(self, name: str) -> None:
        wanted = self.graph.specs.get(name)
        if wanted is None or not wanted.external or name in self.processes:
            return
        if self.graph.units[name].state is State.WAITING:
            self.spawns += 1
            self.processes[name] = Process(wanted, self.spawns, self.now, {wanted.grace}, asked=True)
            self.let_go.discard(name)
        self.feed(name, Appeared())

    @rule(pick=PICKS)
    def one_comes_of_age(self, pick: int) -> None:
        name = self.living(pick)
        if name and self.graph.units[name].state in {State.STARTING, State.UP}:
            self.processes[name].asked = True
            self.retries.pop(name, None)
            self.feed(name, Recycle("age", counted=False))

    # --- what must hold

    @invariant()
    def nothing_of_a_halted_stack_is_wanted(self) -> None:
        assert self.graph.halted is None or not any(unit.wanted for unit in self.graph.units.values())

    @invariant()
    def a_unit_is_alive_when_its_process_is(self) -> None:
        assert {name for name, unit in self.graph.units.items() if unit.alive} == set(self.processes)
        for name, unit in self.graph.units.items():
            assert unit.alive == (unit.state in RUNNING), (name, unit.state)
            assert (unit.stopping is not None) == (unit.state in {State.STOPPING, State.LOST}), (name, unit.state)

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        for name, unit in self.graph.units.items():
            match unit.state:
                case State.WAITING if self.graph.specs[name].external:
                    assert unit.overdue or unit.deadline is not None, name
                case State.WAITING if not graphs.unmet(self.graph.specs[name], self.graph.units, self.graph.specs):
                    self._waits_for_one_on_its_way(name)
                case State.BACKOFF:
                    assert unit.deadline is not None, name
                case State.STARTING:
                    assert unit.overdue or unit.deadline is not None, name
                case State.STOPPING if unit.stopping and unit.stopping.begun is not None:
                    assert unit.deadline is not None, name

    def _waits_for_one_on_its_way(self, name: str) -> None:
        """After an incident it may wait for others of its exchange, in the end for one that starts or soon will."""
        chain = [name]
        while self.graph.units[chain[-1]].state is State.WAITING:
            prober = self.graph.units[chain[-1]].prober
            assert prober is not None, f"{chain} wait for nothing"
            assert prober not in chain, f"{chain} wait for each other"
            chain.append(prober)
        last = self.graph.units[chain[-1]]
        assert last.state in {State.STARTING, State.BACKOFF}, chain
        assert not last.overdue, chain

    @invariant()
    def who_runs_runs_on_living_dependencies_that_are_older(self) -> None:
        for name, process in self.processes.items():
            unit = self.graph.units[name]
            if unit.stopping is not None or process.spec.external:
                continue
            assert unit.running is not None
            edges = {edge.unit: edge for edge in unit.running.depends_on}
            for other in (edge.unit for edge in process.spec.depends_on):
                dependency = self.graph.units.get(other)
                assert dependency is None or dependency.state is not State.FAILED, f"{name} runs below failed {other}"
                if edges[other].on_restart is OnRestart.KEEP or (other in self.finished):
                    continue
                if dependency is None and other in self.let_go:
                    continue  # it runs on, and so does who is attached to it
                assert other in self.processes, f"{name} runs on dead {other}"
                assert self.processes[other].number < process.number, f"{name} is attached to what {other} was before"
                assert not self.processes[other].terms

    # --- what it comes to

    def teardown(self) -> None:
        self.manners = {}
        for process in self.processes.values():
            if process.killed and process.ends is None:
                process.ends, process.code = self.now, -signal.SIGKILL
        self._comes_to_rest(self._rests)
        self.the_operator_stops(set(KINDS), hurry=False)
        self._comes_to_rest(self._is_down)

    def _comes_to_rest(self, holds: Callable[[str, Unit], bool]) -> None:
        for _ in range(1000):
            self.all_climb()
            instant = self.next_instant()
            if instant is None:
                break
            self.pass_until(instant)
        assert self.next_instant() is None, "the stack does not come to rest"
        for name, unit in self.graph.units.items():
            assert holds(name, unit), (name, unit.state)

    def _rests(self, name: str, unit: Unit) -> bool:
        if unit.state is State.WAITING and self.graph.specs[name].external:
            return unit.overdue
        if unit.state is State.WAITING:
            edges = graphs.unmet(self.graph.specs[name], self.graph.units, self.graph.specs)
            states = {self.graph.units[edge.unit].state for edge in edges}
            return bool(states) and states <= {State.FAILED, State.STOPPED, State.WAITING, State.STALE}
        return unit.state in {State.UP, State.STALE, State.FAILED, State.STOPPED, State.FINISHED}

    def _is_down(self, name: str, unit: Unit) -> bool:
        return unit.state is State.STOPPED and name not in self.processes


Stack.TestCase.settings = settings(
    max_examples=50,
    stateful_step_count=40,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestStack = Stack.TestCase
