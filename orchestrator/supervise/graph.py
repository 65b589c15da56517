"""The units together: order and propagation, a pure function on top of `unit`.

Nothing here is remembered that can be derived: which unit waits, which bot is attached to a channel that is gone and
which stop may begin follow from the states and from the order of births.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from orchestrator.deployment.diff import needs_restart
from orchestrator.deployment.model import Kind, OnRestart, reaches
from orchestrator.supervise import unit as machine
from orchestrator.supervise.unit import Begin, Exited, Recycle, Release, Revive, Start, State, Stop, Unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.deployment.model import Dependency, Deployment, UnitSpec
    from orchestrator.supervise.unit import Action, Event

TOGETHER: Final = 1.0
"""A bot that exits within this many seconds of its dependency's death went with it."""

Todo = tuple[tuple[str, "Action"], ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """The units of a stack.

    `specs` are those wanted, in topological order; a removed unit stays in `units` until its process is gone. `births`
    counts spawns.
    """

    specs: Mapping[str, UnitSpec] = field(default_factory=dict)
    units: Mapping[str, Unit] = field(default_factory=dict)
    births: int = 0

    def used(self, name: str) -> UnitSpec:
        """Return what the unit's process was started from, or what the next one would be."""
        running = self.units[name].running
        return running if running is not None else self.specs[name]


class _Turn:
    """One event and all that follows from it."""

    def __init__(self, graph: Graph, now: float, noise: float) -> None:
        self.specs = graph.specs
        self.units = dict(graph.units)
        self.births = graph.births
        self.now = now
        self.noise = noise
        self.todo: list[tuple[str, Action]] = []

    def done(self) -> tuple[Graph, Todo]:
        units = {name: unit for name, unit in self.units.items() if name in self.specs or unit.alive}
        return Graph(self.specs, units, self.births), tuple(self.todo)

    def spec(self, name: str) -> UnitSpec:
        wanted = self.specs.get(name)
        if wanted is not None:
            return wanted
        running = self.units[name].running
        assert running is not None  # noqa: S101 - a unit that is not wanted is kept only while its process lives
        return running

    def edges(self, name: str) -> tuple[Dependency, ...]:
        unit = self.units[name]
        return (unit.running or self.spec(name)).depends_on

    def dependents(self, name: str) -> list[tuple[str, Dependency]]:
        return [(other, edge) for other in self.units for edge in self.edges(other) if edge.unit == name]

    def send(self, name: str, event: Event) -> bool:
        """Feed one unit; tell whether it changed."""
        before = self.units[name]
        after, actions = machine.step(before, self.spec(name), event, self.now, noise=self.noise)
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
        if not unit.alive or unit.stopping is not None:
            return False
        if name not in self.specs:
            return self.send(name, Stop("removed from the stack"))
        for edge in self.edges(name):
            dependency = self.units.get(edge.unit)
            if dependency is None or dependency.state is State.FINISHED:
                continue
            if dependency.state is State.FAILED:
                return self.send(name, Recycle(f"{edge.unit} has failed", counted=False))
            if edge.on_restart is OnRestart.KEEP or not _is_gone(unit, dependency):
                continue
            reason = f"{edge.unit} restarted" if dependency.wanted else f"{edge.unit} stops"
            if edge.on_restart is OnRestart.STOP:
                return self.send(name, Stop(reason))
            return self.send(name, Recycle(reason))
        return False

    def _begin_stop(self, name: str) -> bool:
        stopping = self.units[name].stopping
        if stopping is None or stopping.begun is not None:
            return False
        for other, edge in self.dependents(name):
            dependent = self.units[other]
            if not dependent.alive or dependent.state is State.LOST:
                continue
            if edge.on_restart is OnRestart.KEEP and dependent.stopping is None:
                continue
            return False
        return self.send(name, Begin())

    def _release(self, name: str) -> bool:
        unit = self.units[name]
        if unit.state is not State.WAITING or unit.alive or name not in self.specs:
            return False
        if unmet(self.specs[name], self.units, self.specs):
            return False
        self.births += 1
        return self.send(name, Release(self.births))


def _is_gone(unit: Unit, dependency: Unit) -> bool:
    """Tell whether what `unit` was attached to no longer exists, or is about to end."""
    return not dependency.alive or dependency.stopping is not None or unit.born < dependency.born


def unmet(spec: UnitSpec, units: Mapping[str, Unit], specs: Mapping[str, UnitSpec]) -> tuple[Dependency, ...]:
    """Return the dependencies that keep the unit from starting now."""
    return tuple(edge for edge in spec.depends_on if not _holds(edge, units, specs))


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


def step(graph: Graph, name: str, event: Event, now: float, *, noise: float = 0.5) -> tuple[Graph, Todo]:
    """Feed `event` to one unit and let the others follow. Returns the new graph and what to do, in order."""
    turn = _Turn(graph, now, noise)
    if isinstance(event, Exited):
        _exit(turn, name, event)
    else:
        turn.send(name, event)
    turn.settle()
    return turn.done()


def settle(graph: Graph, now: float) -> tuple[Graph, Todo]:
    """Let the rules between units take effect, as after an adoption."""
    turn = _Turn(graph, now, 0.5)
    turn.settle()
    return turn.done()


def _exit(turn: _Turn, name: str, event: Exited) -> None:
    if (turn.units[name].running or turn.spec(name)).kind is Kind.BOT and any(
        _died_with(turn, turn.units[name], edge) for edge in turn.edges(name) if edge.on_restart is OnRestart.RESTART
    ):
        event = replace(event, propagated=True)
    before = turn.units[name]
    turn.send(name, event)
    if before.stopping is not None:
        return
    for other, edge in turn.dependents(name):
        died = turn.units[other].died
        just_now = died is not None and turn.now - died <= TOGETHER
        if edge.on_restart is OnRestart.RESTART and just_now and turn.spec(other).kind is Kind.BOT:
            turn.send(other, Revive(f"{name} died with it"))


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
    turn = _Turn(graph, now, 0.5)
    for name, unit in list(turn.units.items()):
        new = specs.get(name)
        if new is None:
            turn.send(name, Stop("removed from the stack"))
        elif unit.alive and unit.running is not None:
            fields = needs_restart(unit.running, new)
            if fields:
                turn.send(name, Recycle(f"changed: {', '.join(fields)}", counted=False))
            else:
                turn.units[name] = replace(unit, running=new)
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


def stop(graph: Graph, names: Iterable[str], reason: str, now: float, *, hurry: bool = False) -> tuple[Graph, Todo]:
    """Stop units and all that hangs below them, dependents first. `hurry` takes the grace away from bots."""
    turn = _Turn(graph, now, 0.5)
    for name in below(graph, names):
        is_bot = graph.used(name).kind is Kind.BOT
        turn.send(name, Stop(reason, grace=0.0 if hurry and is_bot else None))
    turn.settle()
    return turn.done()


def below(graph: Graph, names: Iterable[str]) -> tuple[str, ...]:
    """Return `names` and every unit that depends on one of them, directly or not."""
    found = dict.fromkeys(names)
    queue = list(found)
    while queue:
        name = queue.pop()
        for other in graph.units:
            if other not in found and any(edge.unit == name for edge in graph.used(other).depends_on):
                found[other] = None
                queue.append(other)
    return tuple(found)


def deadline(graph: Graph) -> float | None:
    """Return the next instant at which some unit wants a Tick."""
    return min((unit.deadline for unit in graph.units.values() if unit.deadline is not None), default=None)
