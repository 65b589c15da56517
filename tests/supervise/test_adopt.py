from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.deployment.model import Deployment, Health, UnitSpec
from orchestrator.supervise import process as processes
from orchestrator.supervise.adopt import adopt, digest
from orchestrator.supervise.records import Intent, Intents, UnitIntent, UnitRecord
from orchestrator.supervise.unit import State
from tests.children import until
from tests.supervise.specs import bot, connector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.supervise.adopt import Adoption

_PREFIX = f"0/adopt{os.getpid()}/s/"


class _Survivors:
    """Processes that an earlier supervisor is said to have started."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, spec: UnitSpec, *, whose: str = "own") -> int:
        """Start one with the marker of a unit: its own, or that of its parent, or none."""
        token = f"{_PREFIX}{spec.name}/{digest(spec)}-0000"
        pid = {"own": "$$", "parent": "1"}.get(whose)
        line = "exec sleep 1000" if pid is None else f'export HFTSTACK_UNIT="{token}/{pid}"; exec sleep 1000'
        process = subprocess.Popen(["/bin/sh", "-c", line], env={"PATH": "/usr/bin:/bin"})
        self._started.append(process)
        until(lambda: Path(f"/proc/{process.pid}/comm").read_text().strip() == "sleep")
        return process.pid

    def close(self) -> None:
        for process in self._started:
            process.send_signal(signal.SIGKILL)
            process.wait()


@pytest.fixture
def survivors() -> Iterator[_Survivors]:
    """Starts what is there to be adopted."""
    started = _Survivors()
    yield started
    started.close()


def _record(spec: UnitSpec, pid: int, later: int = 0) -> UnitRecord:
    found = processes.identity(pid)
    assert found is not None
    marker = f"{_PREFIX}{spec.name}/{digest(spec)}-0000/{pid}"
    return UnitRecord(pid, found.start + later, marker, "/log", spec.kind, spec.grace)


def _adopt(
    *specs: UnitSpec,
    intents: dict[str, UnitIntent] | None = None,
    records: dict[str, UnitRecord] | None = None,
    hold: bool = False,
) -> Adoption:
    deployment = Deployment("s", "/s.yaml", "local", specs)
    found = adopt(deployment, Intents(intents or {}), records or {}, _PREFIX, 100.0, hold=hold)
    for process in found.processes.values():
        process.close()
    return found


def test_a_recorded_process_is_taken_over_with_or_without_its_marker(survivors: _Survivors) -> None:
    bf, mm = connector("bf"), bot("mm", "bf")
    pids = {"bf": survivors.start(bf), "mm": survivors.start(mm, whose="none")}
    found = _adopt(bf, mm, records={"bf": _record(bf, pids["bf"]), "mm": _record(mm, pids["mm"])})
    assert {name: process.id.pid for name, process in found.processes.items()} == pids
    for name in pids:
        unit = found.graph.units[name]
        assert (unit.state, unit.alive, unit.wanted, unit.restarts) == (State.STARTING, True, True, 0)
        assert unit.running == found.graph.specs[name]
    assert found.graph.units["bf"].born < found.graph.units["mm"].born


def test_a_pid_that_is_somebody_elses_by_now_is_not_taken_over(survivors: _Survivors) -> None:
    bf = connector("bf")
    pid = survivors.start(bf, whose="none")
    found = _adopt(bf, records={"bf": _record(bf, pid, later=1)})
    assert found.processes == {}
    unit = found.graph.units["bf"]
    assert (unit.state, unit.restarts, unit.why) == (State.WAITING, 1, "died while nobody supervised it")


def test_without_a_record_the_marker_names_the_unit_and_its_helpers_are_not_taken_over(survivors: _Survivors) -> None:
    bf = connector("bf")
    survivors.start(bf, whose="parent")
    assert _adopt(bf).processes == {}
    pid = survivors.start(bf)
    assert _adopt(bf).processes["bf"].id.pid == pid


def test_what_was_started_from_something_else_is_known_to_be(survivors: _Survivors) -> None:
    bf = connector("bf")
    survivors.start(bf)
    same = replace(bf, health=Health(startup=3.0), grace=9.0)
    assert _adopt(same).graph.units["bf"].running == same
    other = replace(bf, argv=("/bin/other",))
    running = _adopt(other).graph.units["bf"].running
    assert running is not None
    assert running.argv != other.argv


def test_a_process_of_a_unit_that_the_stack_no_longer_names_is_not_wanted(survivors: _Survivors) -> None:
    old = replace(bot("old", "bf"), grace=7.0)
    record = replace(_record(old, survivors.start(old)), depends_on=("bf",))
    found = _adopt(connector("bf"), records={"old": record})
    unit = found.graph.units["old"]
    assert (unit.alive, unit.wanted) == (True, False)
    used = found.graph.used("old")
    assert (used.kind, used.grace, [edge.unit for edge in used.depends_on]) == (old.kind, 7.0, ["bf"])


@pytest.mark.parametrize(
    ("intent", "hold", "state", "wanted"),
    [
        (None, False, State.WAITING, True),
        (None, True, State.STOPPED, False),
        (Intent.UP, False, State.WAITING, True),
        (Intent.UP, True, State.STOPPED, False),
        (Intent.STOPPED, False, State.STOPPED, False),
        (Intent.FAILED, False, State.FAILED, True),
        (Intent.FAILED, True, State.FAILED, True),
        (Intent.FINISHED, False, State.FINISHED, True),
    ],
)
def test_what_does_not_run_is_as_it_was_left(intent: Intent | None, *, hold: bool, state: State, wanted: bool) -> None:
    intents = {} if intent is None else {"mm": UnitIntent(intent, "exit 3")}
    unit = _adopt(bot("mm"), intents=intents, hold=hold).graph.units["mm"]
    assert (unit.state, unit.wanted, unit.alive) == (state, wanted, False)
    assert (unit.why == "exit 3") is (state is State.FAILED)


def test_what_was_stopped_and_runs_all_the_same_is_not_wanted(survivors: _Survivors) -> None:
    bf = connector("bf")
    survivors.start(bf)
    unit = _adopt(bf, intents={"bf": UnitIntent(Intent.STOPPED)}).graph.units["bf"]
    assert (unit.alive, unit.wanted) == (True, False)


def test_another_stacks_process_is_not_ours(survivors: _Survivors) -> None:
    bf = connector("bf")
    survivors.start(bf)
    deployment = Deployment("s2", "/s.yaml", "local", (bf,))
    found = adopt(deployment, Intents(), {}, _PREFIX.replace("/s/", "/s2/"), 100.0, hold=True)
    assert found.processes == {}
