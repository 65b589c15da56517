from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from orchestrator.deployment import codec
from orchestrator.deployment.homes import locate
from orchestrator.supervise import records
from orchestrator.supervise.graph import Graph
from orchestrator.supervise.ledger import Ledger
from orchestrator.supervise.process import Process, ProcessId
from orchestrator.supervise.records import Intent, Spent, UnitIntent, Units
from orchestrator.supervise.stopping import After, Stopping
from orchestrator.supervise.unit import State, Unit
from tests.supervise.specs import bot, connector

if TYPE_CHECKING:
    from pathlib import Path


def _process(pid: int, marker: str) -> Process:
    return Process(ProcessId(pid, pid + 1), -1, child=True, marker=marker, log=f"/log/{pid}")


def test_the_processes_on_disk_are_those_of_now_whatever_was_written_before(tmp_path: Path) -> None:
    home = locate({"HFTSTACK_HOME": str(tmp_path / "h")}).stack("s")
    home.prepare()
    ledger = Ledger(home, "boot", lambda *_: None)
    specs = {spec.name: spec for spec in (connector("bf"), bot("mm", "bf"))}
    graph = Graph(specs, {name: Unit(State.UP, wanted=True, alive=True, running=specs[name]) for name in specs})
    both = {"mm": _process(7, "u/mm/t/7"), "bf": _process(5, "u/bf/t/5")}
    changed = replace(graph, units={**graph.units, "mm": replace(graph.units["mm"], running=bot("mm", "by"))})
    for units, processes in (
        (graph, both),
        (graph, {"mm": both["mm"]}),
        (graph, {**both, "bf": _process(9, "u/bf/t/9")}),
        (changed, both),
        (graph, {}),
    ):
        ledger.keep_units(units, processes)
        found = records.read_units(home.units, "boot").units
        assert {name: (record.pid, record.marker, record.log) for name, record in found.items()} == {
            name: (process.id.pid, process.marker, process.log) for name, process in processes.items()
        }
        assert all(list(record.depends_on) == [e.unit for e in units.used(n).depends_on] for n, record in found.items())
        assert home.units.read_text().rstrip() == codec.encode(Units("boot", found))


def test_the_restarts_of_all_units_are_on_disk_with_the_processes_and_told_when_they_are_not(tmp_path: Path) -> None:
    home = locate({"HFTSTACK_HOME": str(tmp_path / "h")}).stack("s")
    home.prepare()
    ledger = Ledger(home, "boot", lambda *_: None)
    specs = {spec.name: spec for spec in (connector("bf"), bot("units", "bf"))}
    graph = Graph(specs, {name: Unit(State.UP, wanted=True, alive=True, running=specs[name]) for name in specs})
    assert not ledger.is_behind(graph)
    later = replace(graph, units={**graph.units, "units": Unit(State.FAILED, restarts=2)})
    assert ledger.is_behind(later)
    ledger.keep_units(later, {"bf": _process(5, "u/bf/t/5")})
    found = records.read_units(home.units, "boot")
    assert (found.restarts, list(found.units)) == ({"units": 2}, ["bf"])
    assert not ledger.is_behind(later)


@pytest.mark.parametrize("unit", [Unit(State.BACKOFF, failures=1), Unit(State.UP, window=(7.5,))])
def test_what_a_unit_has_spent_of_its_budgets_is_on_disk_until_it_is_given_back(tmp_path: Path, unit: Unit) -> None:
    home = locate({"HFTSTACK_HOME": str(tmp_path / "h")}).stack("s")
    home.prepare()
    ledger = Ledger(home, "boot", lambda *_: None)
    graph = Graph({"bf": connector("bf")}, {"bf": unit})
    assert ledger.is_behind(graph)
    ledger.keep_units(graph, {})
    assert not ledger.is_behind(graph)
    assert records.read_units(home.units, "boot").spent == {"bf": Spent(unit.failures, unit.window)}
    assert records.read_units(home.units, "another boot").spent == {}
    forgiven = replace(graph, units={"bf": Unit(State.UP)})
    assert ledger.is_behind(forgiven)
    ledger.keep_units(forgiven, {})
    assert records.read_units(home.units, "boot").spent == {}


def test_what_was_down_before_the_whole_stack_is_on_record_until_a_unit_is_wanted_again(tmp_path: Path) -> None:
    home = locate({"HFTSTACK_HOME": str(tmp_path / "h")}).stack("s")
    home.prepare()
    ledger = Ledger(home, "boot", lambda *_: None)
    names = ("up", "off", "failed", "done")
    failed = Unit(State.FAILED, wanted=True, why="exit 3")
    units = [Unit(State.UP, wanted=True), Unit(), failed, Unit(State.FINISHED, wanted=True)]
    graph = Graph({name: connector(name) for name in names}, dict(zip(names, units, strict=True)))
    ledger.keep_intents(graph)
    ledger.set_aside(graph)
    down = replace(graph, units=dict.fromkeys(names, Unit()))
    ledger.keep_intents(down)
    ledger.set_aside(down)  # asked for a second time
    ledger.keep_intents(down)
    stopped = UnitIntent(Intent.STOPPED)
    left = {"off": stopped, "failed": UnitIntent(Intent.FAILED, "exit 3"), "done": UnitIntent(Intent.FINISHED)}
    assert records.read_intents(home.intent).aside == left
    later = Ledger(home, "boot", lambda *_: None)
    assert later.read()[1].units == {"up": stopped, **left}
    later.keep_intents(down)
    assert records.read_intents(home.intent).aside == left
    later.keep_intents(replace(down, units={**down.units, "up": Unit(State.WAITING, wanted=True)}))
    assert records.read_intents(home.intent).aside is None


def test_an_intent_that_could_not_be_written_is_told_once_and_written_when_it_can_be(tmp_path: Path) -> None:
    home = locate({"HFTSTACK_HOME": str(tmp_path / "h")}).stack("s")
    home.prepare()
    told: list[str] = []
    ledger = Ledger(home, "boot", lambda *words: told.append(str(words)))
    graph = Graph({"mm": bot("mm", "bf")}, {"mm": Unit(State.FAILED, why="exit 1")})
    home.intent.mkdir()
    for _ in range(3):
        ledger.keep_intents(graph)
    assert len(told) == 1
    home.intent.rmdir()
    ledger.keep_intents(graph)
    assert records.read_intents(home.intent).units == {"mm": UnitIntent(Intent.FAILED, "exit 1")}
    assert len(told) == 1


def test_a_stop_is_on_disk_as_soon_as_it_is_decided_or_hurried_and_not_with_each_of_its_signals(tmp_path: Path) -> None:
    home = locate({"HFTSTACK_HOME": str(tmp_path / "h")}).stack("s")
    home.prepare()
    ledger = Ledger(home, "boot", lambda *_: None)
    mm = bot("mm")
    graph = Graph({"mm": mm}, {"mm": Unit(State.UP, wanted=True, alive=True, running=mm)})
    decided = Stopping(After.FAIL, "stale", 60.0)
    begun = replace(decided, begun=9.5, kill_at=69.5)
    for stopping in (decided, begun, replace(begun, kill_at=9.75), replace(begun, after=After.STOPPED)):
        stops = Graph(graph.specs, {"mm": replace(graph.units["mm"], state=State.STOPPING, stopping=stopping)})
        assert ledger.is_behind(stops)
        ledger.keep_units(stops, {"mm": _process(5, "u/mm/t/5")})
        assert records.read_units(home.units, "boot").units["mm"].stopping == stopping
        assert not ledger.is_behind(stops)
        again = replace(stops.units["mm"], stopping=replace(stopping, term_at=12.0))
        assert not ledger.is_behind(Graph(graph.specs, {"mm": again}))
