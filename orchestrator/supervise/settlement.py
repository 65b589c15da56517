"""Waiting until units have settled: each is where it should be, or will not get there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.deployment.model import Kind
from orchestrator.supervise.graph import unmet
from orchestrator.supervise.report import is_reached
from orchestrator.supervise.unit import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from orchestrator.deployment.model import UnitSpec
    from orchestrator.supervise.supervisor import Supervisor
    from orchestrator.supervise.unit import Unit

_LASTS: Final = 0.25
"""Seconds that a unit without a check must have run before anybody believes in it."""

_OVER: Final = frozenset({State.FAILED, State.STOPPED, State.LOST})


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of units, by name: `blocked` did not reach their target, those of `coming` were on their way."""

    blocked: tuple[str, ...] = ()
    coming: tuple[str, ...] = ()

    def result(self) -> dict[str, object]:
        """Return what is said of it over the socket."""
        return {"reached": not self.blocked, "blocked": list(self.blocked), "coming": list(self.coming)}


async def settled(
    supervisor: Supervisor,
    specs: Sequence[UnitSpec],
    timeout: float | None,  # noqa: ASYNC109 - a request's own
    given_up: Callable[[], bool],
) -> Settlement:
    """Return when each unit is at its target or will not get there: it failed, is late, or waits for such a one.

    Args:
        supervisor: runs them.
        specs: the units that are waited for, each after those that it depends on.
        timeout: seconds; None for each unit's own bound. Only after it, or when given up, is anything still `coming`.
        given_up: tells, after each event, that the units are being stopped.
    """
    begun = supervisor.now()
    limits: dict[str, float] = {}
    while True:
        now = supervisor.now()
        blocked: list[str] = []
        coming: list[str] = []
        hopeless: set[str] = set()
        young = False
        waking = [] if timeout is None else [begun + timeout]
        for spec in specs:
            unit = supervisor.graph.units.get(spec.name)
            if unit is None:
                continue
            if is_reached(unit, spec):
                proven_at = unit.spawned + _LASTS if _is_unchecked(spec) and unit.alive else now
                if now < proven_at:
                    young = True
                    waking.append(proven_at)
                continue
            blocked.append(spec.name)
            if _is_bounded_itself(supervisor, spec, unit):
                limits.pop(spec.name, None)
            else:
                limits.setdefault(spec.name, now + spec.health.startup + 1.0)
            late = now >= limits.get(spec.name, now + 1)
            if late or unit.overdue or unit.state in _OVER or _waits_for(hopeless, supervisor, spec, unit):
                hopeless.add(spec.name)
                continue
            coming.append(spec.name)
            if spec.name in limits:
                waking.append(limits[spec.name])
        out_of_time = timeout is not None and now - begun >= timeout
        if out_of_time or given_up() or not (coming or young):
            return Settlement(tuple(blocked), tuple(coming))
        await supervisor.changed(None if not waking else max(0.0, min(waking) - now))


def _is_bounded_itself(supervisor: Supervisor, spec: UnitSpec, unit: Unit) -> bool:
    """Tell whether a unit is stopping, or waits for another one that is itself on its way."""
    if unit.state is State.STOPPING:
        return True
    graph = supervisor.graph
    return unit.state is State.WAITING and any(
        not is_reached(graph.units[edge.unit], graph.specs[edge.unit])
        for edge in unmet(spec, graph.units, graph.specs)
        if edge.unit in graph.specs
    )


def _waits_for(others: Iterable[str], supervisor: Supervisor, spec: UnitSpec, unit: Unit) -> bool:
    """Tell whether a unit cannot start before one of the others is where it should be."""
    graph = supervisor.graph
    missing = {edge.unit for edge in unmet(spec, graph.units, graph.specs)}
    return unit.state is State.WAITING and not missing.isdisjoint(others)


def _is_unchecked(spec: UnitSpec) -> bool:
    """Tell whether nothing shows the unit to be ready but that it runs."""
    return spec.kind is not Kind.CONNECTOR and spec.ready is None and not spec.attaches


async def gone(supervisor: Supervisor, names: Iterable[str]) -> None:
    """Return when none of the units has a process any more, but for what is lost or wanted again."""
    wanted = set(names)
    while any(
        unit.alive and not unit.wanted and unit.state is not State.LOST
        for name, unit in supervisor.graph.units.items()
        if name in wanted
    ):
        await supervisor.changed()
