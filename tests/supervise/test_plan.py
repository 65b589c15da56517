"""A plan says what the supervisor's rules do; the two are written apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.deployment.changes import Shown
from orchestrator.deployment.model import Dependency, Kind, OnRestart, UnitSpec
from orchestrator.deployment.partial import narrowed
from orchestrator.deployment.plan import Process, plan
from orchestrator.errors import RefusedError
from orchestrator.supervise import graph as graphs
from orchestrator.supervise.graph import Graph
from orchestrator.supervise.unit import State, Unit
from tests.supervise.specs import deployment, external, spec

_NAMES = ("a", "b", "c", "d", "e")
_SHOWN = Shown(lambda _, value: value, lambda value: value)


@st.composite
def _units(draw: st.DrawFn) -> tuple[UnitSpec, ...]:
    found: list[UnitSpec] = []
    for name in _NAMES:
        if not draw(st.integers(0, 3)):
            continue
        kind = draw(st.sampled_from([Kind.SERVICE, Kind.CONNECTOR] if len(found) < 2 else list(Kind)))
        edges = [
            Dependency(other.name, on_restart=draw(st.sampled_from(OnRestart)))
            for other in found
            if other.kind is not Kind.BOT and draw(st.booleans())
        ]
        unit = spec(name, kind, *edges)
        if kind is Kind.CONNECTOR and not draw(st.integers(0, 2)):
            unit = replace(external(name), depends_on=unit.depends_on)
        found.append(
            replace(unit, cwd=draw(st.sampled_from(["/", "/", "/elsewhere"])), grace=draw(st.sampled_from([1.0, 2.0])))
        )
    return tuple(found)


def _running(units: tuple[UnitSpec, ...], wanted: set[str]) -> tuple[Graph, set[str]]:
    """Return a graph at rest in which those of `wanted` run that may."""
    alive: set[str] = set()
    states: dict[str, Unit] = {}
    for born, unit in enumerate(units, 1):
        if unit.name in wanted and (unit.external or all(edge.unit in alive for edge in unit.depends_on)):
            alive.add(unit.name)
            states[unit.name] = Unit(
                state=State.UP, wanted=True, alive=True, born=born, running=unit, level=unit.target, lived=True
            )
        else:
            states[unit.name] = Unit()
    return Graph({unit.name: unit for unit in units}, states, len(units)), alive


def _process(before: Unit | None, after: Unit | None, spec: UnitSpec | None) -> Process:
    """Return what became of the process that is ours, by what the supervisor is about to do."""
    ours = before is not None and before.running is not None and not before.running.external
    begins = after is not None and after.wanted and spec is not None and not spec.external
    if not ours:
        rests = Process.NONE if spec is None or spec.external else Process.DOWN
        return Process.STARTS if begins else rests
    assert after is not None
    if after.stopping is None:
        return Process.RUNS
    return Process.RESTARTS if begins else Process.STOPS


def _judge(
    old: tuple[UnitSpec, ...], new: tuple[UnitSpec, ...], wanted: set[str], only: tuple[str, ...] | None
) -> None:
    graph, alive = _running(old, wanted)
    before, after = deployment(*old), deployment(*new)
    chosen = None
    if only is not None:
        chosen = graphs.needed({unit.name: unit for unit in new}, only)
        try:
            after = narrowed(before if alive else None, after, chosen)
        except RefusedError:
            return

    made = plan(before, after, alive=alive, shown=_SHOWN, digests=("0", "1"), chosen=chosen)
    then, _ = graphs.apply(graph, after, 100.0, only=chosen)

    told: dict[str, Any] = {step.unit: step.process for step in made.steps}
    specs = {unit.name: unit for unit in after.units}
    units = graph.units if alive else {}
    assert told == {name: _process(units.get(name), then.units.get(name), specs.get(name)) for name in told}
    assert told.keys() >= specs.keys() | alive


@given(old=_units(), new=_units(), wanted=st.sets(st.sampled_from(_NAMES)))
def test_what_a_plan_says_of_each_process_is_what_the_supervisor_does(
    old: tuple[UnitSpec, ...], new: tuple[UnitSpec, ...], wanted: set[str]
) -> None:
    _judge(old, new, wanted, None)


@given(old=_units(), new=_units(), wanted=st.sets(st.sampled_from(_NAMES)), only=st.sets(st.sampled_from(_NAMES)))
def test_so_it_is_when_only_some_units_are_brought_in(
    old: tuple[UnitSpec, ...], new: tuple[UnitSpec, ...], wanted: set[str], only: set[str]
) -> None:
    _judge(old, new, wanted, tuple(unit.name for unit in new if unit.name in only))
