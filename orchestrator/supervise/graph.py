"""The units together: order and propagation, a pure function on top of `unit`.

Nothing here is remembered that can be derived: which unit waits, which bot is attached to a channel that is gone and
which stop may begin follow from the states and from the order of births.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from orchestrator.deployment import partial
from orchestrator.deployment.diff import needs_restart
from orchestrator.deployment.model import Kind, OnLimit, OnRestart, reaches
from orchestrator.supervise import external
from orchestrator.supervise import unit as machine
from orchestrator.supervise.stopping import After
from orchestrator.supervise.unit import (
    Appeared,
    Begin,
    Excused,
    Exited,
    Recycle,
    Release,
    Revive,
    Spread,
    Start,
    State,
    Stop,
    Unit,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from orchestrator.deployment.model import Dependency, Deployment, UnitSpec
    from orchestrator.supervise.unit import Action, Event

TOGETHER: Final = 1.0
"""A bot that exits within this many seconds of its dependency's death went with it."""

SPREAD: Final = 1.0
"""Seconds over which the starts that follow upon an incident of an exchange are spread."""

_ON_ITS_WAY: Final = frozenset({State.WAITING, State.BACKOFF, State.STARTING})

Todo = tuple[tuple[str, "Action"], ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """The units of a stack.

    `specs` are those wanted, in topological order; a removed unit stays in `units` until its process is gone. `births`
    counts spawns. `halted` is the reason for which nothing is started any more, whoever asks.
    """

    specs: Mapping[str, UnitSpec] = field(default_factory=dict)
    units: Mapping[str, Unit] = field(default_factory=dict)
    births: int = 0
    halted: str | None = None

    def used(self, name: str) -> UnitSpec:
        """Return what the unit's process was started from, or what the next one would be."""
        running = self.units[name].running
        return running if running is not None else self.specs[name]


def _middle() -> float:
    """Be the randomness where none is wanted."""
    return 0.5


class _Turn:
    """One event and all that follows from it."""

    def __init__(self, graph: Graph, now: float, noise: Callable[[], float] = _middle) -> None:
        self.specs = graph.specs
        self.units = dict(graph.units)
        self.births = graph.births
        self.halted = graph.halted
        self.now = now
        self.noise = noise
        self.todo: list[tuple[str, Action]] = []

    def done(self) -> tuple[Graph, Todo]:
        units = {name: unit for name, unit in self.units.items() if name in self.specs or unit.alive}
        return Graph(self.specs, units, self.births, self.halted), tuple(self.todo)

    def spec(self, name: str) -> UnitSpec:
        wanted = self.specs.get(name)
        if wanted is not None:
            return wanted
        running = self.units[name].running
        assert running is not None  # noqa: S101 - a unit that is not wanted is kept only while its process lives
        return running

    def edges(self, name: str) -> tuple[Dependency, ...]:
        used = self.units[name].running or self.specs.get(name)
        return () if used is None else edges_of(used)

    def dependents(self, name: str) -> list[tuple[str, Dependency]]:
        return [(other, edge) for other in self.units for edge in self.edges(other) if edge.unit == name]

    def send(self, name: str, event: Event) -> bool:
        """Feed one unit; tell whether it changed. Nobody wants a unit of a halted stack."""
        if self.halted is not None and isinstance(event, Start):
            return False
        before = self.units[name]
        spec = self.spec(name)
        if (before.running or spec).external:
            after, actions = external.step(before, spec, event, self.now)
        else:
            after, actions = machine.step(before, spec, event, self.now, noise=self.noise())
        self.units[name] = after
        self.todo.extend((name, action) for action in actions)
        return after != before

    def settle(self) -> None:
        """Apply the rules between units until none of them finds anything to do."""
        moved = True
        while moved:
            moved = False
            for name in list(self.units):
                moved |= self._follow_dependencies(name)
                moved |= self._begin_stop(name)
                moved |= self._release(name)

    def _follow_dependencies(self, name: str) -> bool:
        unit = self.units[name]
        if not unit.alive:
            return False
        if unit.stopping is not None and not (unit.stopping.after is After.WAITING and unit.stopping.counted):
            return False
        if name not in self.specs:
            return self.send(name, Stop("removed from the stack"))
        causes = self._causes(name)
        for edge, reason, _ in causes:
            if edge.on_restart is OnRestart.STOP:
                return self.send(name, Stop(reason))
        if not causes or unit.stopping is not None:
            return False
        _, reason, counted = causes[0]
        return self.send(name, Recycle(reason, counted))

    def _causes(self, name: str) -> list[tuple[Dependency, str, bool]]:
        """Return why the unit may not run on: the edge, the reason, and whether that counts as a restart."""
        unit = self.units[name]
        causes = []
        for edge in self.edges(name):
            dependency = self.units.get(edge.unit)
            if dependency is None or dependency.state is State.FINISHED:
                continue
            if dependency.state is State.FAILED and self._keeps_dependents(edge.unit):
                continue
            if dependency.state is State.FAILED:
                causes.append((edge, f"{edge.unit} has failed", False))
            elif edge.on_restart is not OnRestart.KEEP and _is_gone(unit, dependency):
                causes.append((edge, f"{edge.unit} {_fate(dependency, self.specs.get(edge.unit))}", True))
        return causes

    def _keeps_dependents(self, name: str) -> bool:
        """Tell whether what hangs on a unit that has failed for good may run on, to end its business itself."""
        return name in self.specs and self.specs[name].restart.on_limit is OnLimit.KEEP

    def _begin_stop(self, name: str) -> bool:
        stopping = self.units[name].stopping
        if stopping is None or stopping.begun is not None:
            return False
        places = {other: place for place, other in enumerate(self.units)}
        for other in self._holding(name):
            if places[other] > places[name] or not self._awaits(other, name):
                return False
        return self.send(name, Begin())

    def _holding(self, name: str) -> list[str]:
        """Return the dependents whose end the stop of a unit waits for."""
        return [
            other
            for other, edge in self.dependents(name)
            if self.units[other].alive
            and self.units[other].state is not State.LOST
            and (edge.on_restart is not OnRestart.KEEP or self.units[other].stopping is not None)
        ]

    def _awaits(self, name: str, other: str) -> bool:
        """Tell whether the stop of `name` waits for `other`, in the end: old and new edges can form a cycle."""
        found = {name}
        queue = [name]
        while queue:
            held = queue.pop()
            stopping = self.units[held].stopping
            if stopping is None or stopping.begun is not None:
                continue
            for holder in self._holding(held):
                if holder == other:
                    return True
                if holder not in found:
                    found.add(holder)
                    queue.append(holder)
        return False

    def _release(self, name: str) -> bool:
        unit = self.units[name]
        if unit.state is not State.WAITING or unit.alive or name not in self.specs or self.halted is not None:
            return False
        if self.specs[name].external:
            return external.is_unawaited(unit) and self.send(name, Release(0))
        if self._awaits_prober(name) or unmet(self.specs[name], self.units, self.specs):
            return False
        if unit.spread:
            return self.send(name, Spread())
        self.births += 1
        return self.send(name, Release(self.births))

    def _awaits_prober(self, name: str) -> bool:
        """Tell whether the connector that goes first after an incident is on its way up, for the first time since."""
        unit = self.units[name]
        if unit.prober is None or self._host(unit.prober) is None or self._host(unit.prober) != self._host(name):
            return False
        prober = self.units[unit.prober]
        if not prober.wanted or prober.state not in _ON_ITS_WAY or unit.died is None or prober.died is None:
            return False
        if prober.overdue:
            return False  # it lives and does not get there: that may be its own trouble
        if prober.state is State.WAITING and unmet(self.specs[unit.prober], self.units, self.specs):
            return False  # perhaps for this very unit
        return prober.died - unit.died <= TOGETHER

    def excuse(self, name: str) -> None:
        """Take a failure that others of its exchange had within a second for one incident: one starts, they wait."""
        host = self._host(name)
        if host is None or self.units[name].state not in _ON_ITS_WAY:
            return
        failed = [
            other
            for other, unit in self.units.items()
            if self._host(other) == host
            and unit.died is not None
            and self.now - unit.died <= TOGETHER
            and unit.state in _ON_ITS_WAY
        ]
        if set(failed) <= {name}:
            return
        prober = min(failed, key=lambda other: _place(self.units[other]))
        for other in failed:
            text, spread = f"one incident of {host}", SPREAD * self.noise()
            if other == prober:
                self.send(other, Excused(f"{text}: it goes first", None, spread))
            elif self.units[other].prober is None:
                self.send(other, Excused(f"{text}: {prober} goes first", prober, spread))

    def _host(self, name: str) -> str | None:
        """Return the exchange's host of a connector that we start; None for every other unit."""
        spec = self.specs.get(name)
        return spec.streams[0].host if spec is not None and spec.streams and not spec.external else None


def _place(unit: Unit) -> tuple[bool, float, float]:
    """Return the place among those that failed together: whose start is under way or comes soonest goes first."""
    begins = unit.deadline if unit.state is State.BACKOFF else None
    return not unit.alive, begins or 0.0, unit.died or 0.0


def _fate(dependency: Unit, spec: UnitSpec | None) -> str:
    if not dependency.wanted:
        return "stops"
    return "is gone" if spec is not None and spec.external and not dependency.alive else "restarted"


def _is_gone(unit: Unit, dependency: Unit) -> bool:
    """Tell whether what `unit` was attached to no longer exists, or is about to end."""
    return not dependency.alive or dependency.stopping is not None or unit.born < dependency.born


def edges_of(spec: UnitSpec) -> tuple[Dependency, ...]:
    """Return what the unit's start and stop hang on: nothing when they are not ours."""
    return () if spec.external else spec.depends_on


def unmet(spec: UnitSpec, units: Mapping[str, Unit], specs: Mapping[str, UnitSpec]) -> tuple[Dependency, ...]:
    """Return the dependencies that keep the unit from starting now."""
    return tuple(edge for edge in edges_of(spec) if not _holds(edge, units, specs))


def _holds(edge: Dependency, units: Mapping[str, Unit], specs: Mapping[str, UnitSpec]) -> bool:
    dependency = units.get(edge.unit)
    if dependency is None or edge.unit not in specs:
        return False
    if dependency.state is State.FINISHED:
        return True
    if not dependency.alive or dependency.stopping is not None:
        return False
    if edge.condition is not None:
        return reaches(dependency.level, edge.condition)
    return dependency.state is State.UP and reaches(dependency.level, specs[edge.unit].target)


def step(
    graph: Graph, name: str, event: Event, now: float, *, noise: Callable[[], float] = _middle
) -> tuple[Graph, Todo]:
    """Feed `event` to one unit and let the others follow. Returns the new graph and what to do, in order.

    `noise` draws from [0, 1) whenever something is to happen at an instant that nobody can foresee.
    """
    turn = _Turn(graph, now, noise)
    if isinstance(event, Exited):
        _exit(turn, name, event)
    elif isinstance(event, Appeared):
        turn.births += 1
        turn.send(name, Appeared(turn.births))
    else:
        turn.send(name, event)
    turn.settle()
    return turn.done()


def settle(graph: Graph, now: float) -> tuple[Graph, Todo]:
    """Let the rules between units take effect, as after an adoption."""
    turn = _Turn(graph, now)
    turn.settle()
    return turn.done()


def _exit(turn: _Turn, name: str, event: Exited) -> None:
    if (turn.units[name].running or turn.spec(name)).kind is Kind.BOT and any(
        _died_with(turn, turn.units[name], edge) for edge in turn.edges(name) if edge.on_restart is OnRestart.RESTART
    ):
        event = replace(event, propagated=True)
    before = turn.units[name]
    turn.send(name, event)
    if before.stopping is None or before.stopping.after is After.FAIL:
        turn.excuse(name)
    if before.stopping is not None:
        return
    for other, edge in turn.dependents(name):
        unit = turn.units[other]
        just_now = unit.died is not None and turn.now - unit.died <= TOGETHER
        if not just_now or unit.born < before.born or turn.spec(other).kind is not Kind.BOT:
            continue
        if edge.on_restart is OnRestart.RESTART:
            turn.send(other, Revive(f"{name} died with it"))
        elif edge.on_restart is OnRestart.STOP:
            turn.send(other, Stop(f"{name} died with it"))


def _died_with(turn: _Turn, unit: Unit, edge: Dependency) -> bool:
    dependency = turn.units.get(edge.unit)
    if dependency is None or dependency.died is None or dependency.state is State.FINISHED:
        return False
    attached = not dependency.alive or unit.born < dependency.born
    return attached and turn.now - dependency.died <= TOGETHER


def apply(graph: Graph, deployment: Deployment, now: float, *, only: Iterable[str] | None = None) -> tuple[Graph, Todo]:
    """Bring a new deployment in: changed units are recycled, removed ones stopped, all others started.

    `only` narrows what is started to those units; None means all.
    """
    specs = {spec.name: spec for spec in deployment.units}
    turn = _Turn(graph, now)
    for name, unit in list(turn.units.items()):
        new = specs.get(name)
        if new is None:
            turn.send(name, Stop("removed from the stack"))
        elif unit.alive and unit.running is not None:
            fields = needs_restart(unit.running, new)
            if fields:
                turn.send(name, Recycle(f"changed: {', '.join(fields)}", counted=False))
            else:
                turn.units[name] = replace(unit, running=_taken_up(unit.running, new))
    turn.specs = specs
    turn.units = {name: unit for name, unit in turn.units.items() if name in specs or unit.alive}
    chosen = set(specs) if only is None else set(only)
    for name in specs:
        turn.units.setdefault(name, Unit(since=now))
        if name in chosen:
            turn.send(name, Start())
    turn.units = {name: turn.units[name] for name in [*specs, *(n for n in turn.units if n not in specs)]}
    turn.settle()
    return turn.done()


def _taken_up(running: UnitSpec, new: UnitSpec) -> UnitSpec:
    """Return `new` for a process that runs on: it stays attached to what it was started on."""
    named = {edge.unit for edge in new.depends_on}
    return replace(new, depends_on=(*new.depends_on, *(edge for edge in running.depends_on if edge.unit not in named)))


def stop(graph: Graph, names: Iterable[str], reason: str, now: float, *, hurry: bool = False) -> tuple[Graph, Todo]:
    """Stop units and all that hangs below them, dependents first. `hurry` takes the grace away from bots."""
    turn = _Turn(graph, now)
    for name in below(graph, names):
        is_bot = graph.used(name).kind is Kind.BOT
        turn.send(name, Stop(reason, grace=0.0 if hurry and is_bot else None))
    turn.settle()
    return turn.done()


def halt(graph: Graph, reason: str, now: float, *, hurry: bool = False) -> tuple[Graph, Todo]:
    """Stop everything as `stop` does, and start nothing any more: neither restarts nor requests find a way around."""
    return stop(replace(graph, halted=reason), graph.units, reason, now, hurry=hurry)


def start(graph: Graph, names: Iterable[str], now: float) -> tuple[Graph, Todo]:
    """Start units and what they need; what is latched is cleared."""
    turn = _Turn(graph, now)
    _want(turn, tuple(names))
    turn.settle()
    return turn.done()


def restart(graph: Graph, names: Iterable[str], reason: str, now: float) -> tuple[Graph, Todo]:
    """Stop units and start them again with what they need; what hangs below them follows as its edges say."""
    turn = _Turn(graph, now)
    chosen = tuple(names)
    for name in chosen:
        turn.send(name, Recycle(reason, counted=False))
    _want(turn, chosen)
    turn.settle()
    return turn.done()


def _want(turn: _Turn, names: tuple[str, ...]) -> None:
    for name in needed(turn.specs, names):
        if name in names or turn.units[name].state is not State.FINISHED:
            turn.send(name, Start())


def needed(specs: Mapping[str, UnitSpec], names: Iterable[str]) -> tuple[str, ...]:
    """Return `names` and every unit that one of them depends on, directly or not, in the order of `specs`."""
    return partial.needed({name: [edge.unit for edge in edges_of(spec)] for name, spec in specs.items()}, names)


def below(graph: Graph, names: Iterable[str]) -> tuple[str, ...]:
    """Return `names` and every unit that depends on one of them, directly or not."""
    found = dict.fromkeys(names)
    queue = list(found)
    while queue:
        name = queue.pop()
        for other in graph.units:
            if other not in found and any(edge.unit == name for edge in edges_of(graph.used(other))):
                found[other] = None
                queue.append(other)
    return tuple(found)


def deadline(graph: Graph) -> float | None:
    """Return the next instant at which some unit wants a Tick."""
    return min((unit.deadline for unit in graph.units.values() if unit.deadline is not None), default=None)
