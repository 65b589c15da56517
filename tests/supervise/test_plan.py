"""A plan says what the supervisor's rules do; the two are written apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.deployment.changes import Shown
from orchestrator.deployment.model import Dependency, Kind, OnRestart, UnitSpec
from orchestrator.deployment.plan import Process, plan
from orchestrator.supervise import graph as graphs
from orchestrator.supervise.graph import Graph
from orchestrator.supervise.unit import State, Unit
from tests.supervise.specs import deployment, spec

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
        found.append(
            replace(unit, cwd=draw(st.sampled_from(["/", "/", "/elsewhere"])), grace=draw(st.sampled_from([1.0, 2.0])))
        )
    return tuple(found)


def _running(units: tuple[UnitSpec, ...], wanted: set[str]) -> tuple[Graph, set[str]]:
    """Return a graph at rest in which those of `wanted` run that may."""
    alive: set[str] = set()
    states: dict[str, Unit] = {}
    for born, unit in enumerate(units, 1):
        if unit.name in wanted and all(edge.unit in alive for edge in unit.depends_on):
            alive.add(unit.name)
            states[unit.name] = Unit(
                state=State.UP, wanted=True, alive=True, born=born, running=unit, level=unit.target, lived=True
            )
        else:
            states[unit.name] = Unit()
    return Graph({unit.name: unit for unit in units}, states, len(units)), alive


def _process(before: Unit | None, after: Unit | None) -> Process:
    if before is None or not before.alive:
        return Process.STARTS if after is not None and after.wanted else Process.NONE
    assert after is not None
    if after.stopping is None:
        return Process.RUNS
    return Process.RESTARTS if after.wanted else Process.STOPS


@given(old=_units(), new=_units(), wanted=st.sets(st.sampled_from(_NAMES)))
def test_what_a_plan_says_of_each_process_is_what_the_supervisor_does(
    old: tuple[UnitSpec, ...], new: tuple[UnitSpec, ...], wanted: set[str]
) -> None:
    graph, alive = _running(old, wanted)

    made = plan(deployment(*old), deployment(*new), alive=alive, shown=_SHOWN, digests=("0", "1"))
    after, _ = graphs.apply(graph, deployment(*new), 100.0)

    told: dict[str, Any] = {step.unit: step.process for step in made.steps}
    assert told == {name: _process(graph.units.get(name) if alive else None, after.units.get(name)) for name in told}
    assert {unit.name for unit in new} <= told.keys()
    assert alive <= told.keys()
