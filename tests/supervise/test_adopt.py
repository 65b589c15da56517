from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.deployment.model import (
    Channel,
    Deployment,
    File,
    Health,
    Hook,
    Hooks,
    Kind,
    Level,
    Logs,
    RestartPolicy,
    UnitSpec,
)
from orchestrator.supervise import graph as graphs
from orchestrator.supervise import process as processes
from orchestrator.supervise.adopt import adopt, digest, is_started_from
from orchestrator.supervise.process import Process
from orchestrator.supervise.records import Intent, Intents, Spent, UnitIntent, UnitRecord, Units
from orchestrator.supervise.stopping import After, Stopping
from orchestrator.supervise.unit import Exited, Kill, Observed, Recycle, Spawn, State, Terminate, Tick, step
from tests.children import until
from tests.supervise.specs import bot, connector, external

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.supervise.adopt import Adoption
    from orchestrator.supervise.unit import Unit

_PREFIX = f"0/adopt{os.getpid()}/s/"


class _Survivors:
    """Processes that an earlier supervisor is said to have started."""

    def __init__(self) -> None:
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, spec: UnitSpec, *, whose: str = "own") -> int:
        """Start one with the marker of a unit: its own, or that of its parent, or none."""
        token = f"{_PREFIX}{spec.name}/{digest(spec)}-0000"
        pid = {"own": "$$", "parent": "1"}.get(whose)
        line = "exec sleep 1000" if pid is None else f'export HFTSTACK_UNIT="{token}/{pid}"; exec sleep 1000'
        process = subprocess.Popen(["/bin/sh", "-c", line], env={"PATH": "/usr/bin:/bin"})
        self.started.append(process)
        until(lambda: Path(f"/proc/{process.pid}/comm").read_text().strip() == "sleep")
        return process.pid

    def end(self, code: int) -> int:
        """Start one that ends, and stays a zombie."""
        process = subprocess.Popen(["/bin/sh", "-c", f"exit {code}"])
        self.started.append(process)
        until(lambda: processes.identity(process.pid) is None)
        return process.pid

    def close(self) -> None:
        for process in self.started:
            process.send_signal(signal.SIGKILL)
            process.wait()


@pytest.fixture
def survivors() -> Iterator[_Survivors]:
    """Starts what is there to be adopted."""
    started = _Survivors()
    yield started
    started.close()


def _record(spec: UnitSpec, pid: int, later: int = 0) -> UnitRecord:
    found = processes.found_in_proc(pid)
    assert found is not None
    marker = f"{_PREFIX}{spec.name}/{digest(spec)}-0000/{pid}"
    return UnitRecord(pid, found.start + later, marker, "/log", spec.kind, spec.grace)


def _gone(spec: UnitSpec, survivors: _Survivors) -> UnitRecord:
    """Return the record of a unit that began long ago, and whose pid is another process's by now."""
    record = _record(spec, survivors.start(spec, whose="none"), later=1)
    begun = int(max(time.clock_gettime(time.CLOCK_BOOTTIME) - 3600.0, 0.0) * 1e9) + len(survivors.started)
    token = f"{_PREFIX}{spec.name}/{digest(spec)}-0000-{begun:x}"
    return replace(record, marker=f"{token}/{record.pid}")


def _now_in_ticks() -> int:
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


def _adopt(
    *specs: UnitSpec,
    intents: dict[str, UnitIntent] | None = None,
    records: dict[str, UnitRecord] | None = None,
    restarts: dict[str, int] | None = None,
    spent: dict[str, Spent] | None = None,
    hold: bool = False,
    held: dict[str, int] | None = None,
) -> Adoption:
    """Adopt; `held` names the processes that hold the channels of external connectors."""

    def find(spec: UnitSpec) -> Process | None:
        pid = (held or {}).get(spec.name)
        who = None if pid is None else processes.identity(pid)
        return None if who is None else Process.adopt(who, marker="", log=None)

    deployment = Deployment("s", "/s.yaml", "local", specs)
    recorded = Units("boot", records or {}, restarts or {}, spent or {})
    found = adopt(deployment, Intents(intents or {}), recorded, _PREFIX, 100.0, hold=hold, find=find)
    for process in (found.processes | found.external).values():
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
    assert (set(found.ended), found.ended["bf"].code) == ({"bf"}, None)


def _after_ends(found: Adoption) -> dict[str, Unit]:
    """Return the units once the graph has heard of those that had ended."""
    graph = found.graph
    for name, end in found.ended.items():
        graph, _ = graphs.step(graph, name, Exited(end.code), 100.0)
    return dict(graph.units)


@pytest.mark.parametrize(
    ("policy", "state"),
    [
        (RestartPolicy.NEVER, State.FAILED),
        (RestartPolicy.ON_FAILURE, State.STARTING),
        (RestartPolicy.ALWAYS, State.STARTING),
    ],
)
def test_a_bot_that_ended_unsupervised_is_started_again_only_where_its_policy_says_so(
    survivors: _Survivors, policy: RestartPolicy, state: State
) -> None:
    mm = bot("mm", policy=policy)
    unit = _after_ends(_adopt(mm, records={"mm": _gone(mm, survivors)}))["mm"]
    assert (unit.state, unit.wanted, unit.exit) == (state, True, None)
    assert unit.restarts == (state is State.STARTING)


@pytest.mark.parametrize(("code", "state"), [(125, State.WAITING), (1, State.FAILED), (None, State.WAITING)])
def test_a_bot_whose_gate_may_never_have_been_opened_is_started(
    survivors: _Survivors, code: int | None, state: State
) -> None:
    mm = bot("mm", policy=RestartPolicy.NEVER)
    record = _gone(mm, survivors) if code is None else _record(mm, survivors.end(code))
    unit = _after_ends(_adopt(mm, records={"mm": replace(record, begun=False)}))["mm"]
    assert (unit.state, unit.wanted, unit.restarts) == (state, True, 0)


@pytest.mark.parametrize("names", [("bf", "mm"), ("mm", "bf")])
def test_a_bot_that_ended_unsupervised_with_its_connector_went_with_it(
    survivors: _Survivors, names: tuple[str, str]
) -> None:
    specs = {spec.name: spec for spec in (connector("bf"), bot("mm", "bf", policy=RestartPolicy.NEVER))}
    gone = {name: _gone(spec, survivors) for name, spec in specs.items()}
    units = _after_ends(_adopt(*specs.values(), records={name: gone[name] for name in names}))
    assert (units["bf"].state, units["mm"].state) == (State.STARTING, State.WAITING)


def test_a_connector_that_ended_unsupervised_after_a_while_has_failed(survivors: _Survivors) -> None:
    bf = connector("bf")
    unit = _after_ends(_adopt(bf, records={"bf": _gone(bf, survivors)}))["bf"]
    assert (unit.failures, unit.restarts, unit.retries) == (1, 1, 0)


@pytest.mark.parametrize("intent", [Intent.STOPPED, Intent.FAILED, Intent.FINISHED])
def test_an_end_that_was_acted_upon_is_no_news_although_its_record_is_still_there(
    survivors: _Survivors, intent: Intent
) -> None:
    mm = bot("mm", policy=RestartPolicy.ALWAYS)
    found = _adopt(mm, records={"mm": _gone(mm, survivors)}, intents={"mm": UnitIntent(intent)})
    assert (found.ended, found.graph.units["mm"].state.value) == ({}, intent.value)


def test_restarts_are_counted_on_whatever_has_become_of_the_unit(survivors: _Survivors) -> None:
    runs, died, rests, failed, new = (connector(name) for name in ("runs", "died", "rests", "failed", "new"))
    found = _adopt(
        runs,
        died,
        rests,
        failed,
        new,
        records={"runs": _record(runs, survivors.start(runs)), "died": _gone(died, survivors)},
        restarts={"runs": 2, "died": 2, "rests": 3, "failed": 4, "forgotten": 5},
        intents={"rests": UnitIntent(Intent.STOPPED), "failed": UnitIntent(Intent.FAILED)},
    )
    counted = {name: unit.restarts for name, unit in _after_ends(found).items()}
    assert counted == {"runs": 2, "died": 3, "rests": 3, "failed": 4, "new": 0}


def test_what_was_spent_of_the_budgets_stays_spent_but_for_what_the_clock_has_not_reached(
    survivors: _Survivors,
) -> None:
    runs, rests = connector("runs"), connector("rests")
    found = _adopt(
        runs,
        rests,
        records={"runs": _record(runs, survivors.start(runs))},
        spent={"runs": Spent(2, (90.0, 95.0)), "rests": Spent(1, (99.0, 101.0)), "forgotten": Spent(1, (1.0,))},
    )
    units = found.graph.units
    assert {name: (unit.failures, unit.window) for name, unit in units.items()} == {
        "runs": (2, (90.0, 95.0)),
        "rests": (1, (99.0,)),
    }


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
    found = adopt(
        deployment, Intents(), Units("boot"), _PREFIX.replace("/s/", "/s2/"), 100.0, hold=True, find=lambda _: None
    )
    assert found.processes == {}


@pytest.mark.parametrize("recorded", [True, False])
def test_an_external_connector_is_taken_over_by_its_record_or_by_its_channel(
    survivors: _Survivors, *, recorded: bool
) -> None:
    by, mm = external("by"), bot("mm", "by")
    pid = survivors.start(by, whose="none")
    until(lambda: _now_in_ticks() > _record(by, pid).start)
    survivors.start(mm)
    records = {"by": replace(_record(by, pid), external=True, marker="")} if recorded else {}
    found = _adopt(by, mm, records=records, held={} if recorded else {"by": pid})
    assert (set(found.processes), {name: process.id.pid for name, process in found.external.items()}) == (
        {"mm"},
        {"by": pid},
    )
    units = found.graph.units
    assert units["by"].running == by
    assert units["by"].born < units["mm"].born


def test_one_that_was_recorded_and_is_gone_is_not_looked_for_elsewhere(survivors: _Survivors) -> None:
    by = external("by")
    pid = survivors.start(by, whose="none")
    gone = replace(_record(by, pid, later=1), external=True, marker="")
    found = _adopt(by, records={"by": gone}, held={"by": pid})
    assert found.external == {}
    assert found.graph.units["by"].state is State.WAITING


def test_no_external_process_is_ours_whatever_the_stack_says_by_now(survivors: _Survivors) -> None:
    by = external("by")
    record = replace(_record(by, survivors.start(by, whose="none")), external=True, marker="")
    for specs in ((), (connector("by"),)):
        found = _adopt(*specs, records={"by": record})
        assert found.processes == {}
        assert not any(unit.alive for unit in found.graph.units.values())


def test_one_that_is_not_wanted_is_not_looked_for(survivors: _Survivors) -> None:
    by = external("by")
    pid = survivors.start(by, whose="none")
    found = _adopt(by, intents={"by": UnitIntent(Intent.STOPPED)}, held={"by": pid})
    assert (found.external, found.graph.units["by"].state) == ({}, State.STOPPED)


def test_our_own_process_stays_ours_when_its_connector_became_external(survivors: _Survivors) -> None:
    survivors.start(connector("by"))
    found = _adopt(external("by"))
    running = found.graph.units["by"].running
    assert running is not None
    assert (set(found.processes), running.external) == ({"by"}, False)


def test_a_unit_that_is_taken_over_is_up_since_its_process_began(survivors: _Survivors) -> None:
    pids = [survivors.start(connector(name)) for name in ("bf", "by")]
    starts = [int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]) for pid in pids]
    found = _adopt(connector("bf"), connector("by")).graph.units
    began = [found[name].begun or 0.0 for name in ("bf", "by")]
    assert began[1] - began[0] == pytest.approx((starts[1] - starts[0]) / os.sysconf("SC_CLK_TCK"))
    assert max(began) <= found["bf"].since
    up, _ = step(found["bf"], connector("bf"), Observed(connector("bf").target), 1000.0)
    assert (up.state, up.begun) == (State.UP, began[0])
    again, _ = step(up, connector("bf"), Recycle("asked for"), 1001.0)
    assert (again.state, again.begun) == (State.STOPPING, None)


_STOP = Stopping(After.WAITING, "bf restarted", 60.0, begun=90.0, kill_at=150.0, term_at=90.05)


@pytest.mark.parametrize("code", [0, -signal.SIGTERM])
@pytest.mark.parametrize("lives", [True, False])
def test_a_bot_that_was_told_to_end_is_started_again_whoever_saw_its_end(
    survivors: _Survivors, code: int, *, lives: bool
) -> None:
    mm = bot("mm", policy=RestartPolicy.NEVER)
    record = _record(mm, survivors.start(mm)) if lives else _gone(mm, survivors)
    found = _adopt(mm, records={"mm": replace(record, stopping=_STOP, told=True)})
    unit = found.graph.units["mm"]
    assert (unit.state, unit.stopping, unit.deadline, unit.why) == (State.STOPPING, _STOP, 150.0, "bf restarted")
    settled, todo = graphs.settle(found.graph, 100.0)
    assert todo == ()  # no second SIGTERM
    after, todo = graphs.step(settled, "mm", Exited(code if lives else None), 101.0)
    assert [action for _, action in todo if isinstance(action, Spawn)] == [Spawn(mm)]
    assert after.units["mm"].restarts == 1


def test_a_bot_that_may_not_have_been_told_to_end_is_told_and_has_its_whole_grace(survivors: _Survivors) -> None:
    mm = bot("mm")
    found = _adopt(mm, records={"mm": replace(_record(mm, survivors.start(mm)), stopping=_STOP)})
    graph, todo = graphs.settle(found.graph, 100.0)
    assert todo == (("mm", Terminate()),)
    assert graphs.deadline(graph) == 100.0 + _STOP.grace
    after, _ = graphs.step(graph, "mm", Exited(0), 101.0)
    assert after.units["mm"].restarts == 1  # and its end is part of the stop


def test_one_that_was_killed_is_not_told_any_more(survivors: _Survivors) -> None:
    mm = bot("mm")
    killed = replace(_STOP, killed=True)
    found = _adopt(mm, records={"mm": replace(_record(mm, survivors.start(mm)), stopping=killed)})
    assert graphs.settle(found.graph, 100.0)[1] == ()


def test_a_bot_that_does_not_end_is_killed_when_it_would_have_been(survivors: _Survivors) -> None:
    mm = bot("mm")
    found = _adopt(mm, records={"mm": replace(_record(mm, survivors.start(mm)), stopping=_STOP, told=True)})
    assert graphs.deadline(found.graph) == 150.0
    _, todo = graphs.step(found.graph, "mm", Tick(), 150.0)
    assert ("mm", Kill()) in todo


def test_a_stop_that_was_asked_for_goes_on_without_a_second_signal(survivors: _Survivors) -> None:
    mm = bot("mm")
    records = {"mm": replace(_record(mm, survivors.start(mm)), stopping=replace(_STOP, after=After.STOPPED), told=True)}
    found = _adopt(mm, records=records, intents={"mm": UnitIntent(Intent.STOPPED)})
    graph, todo = graphs.stop(found.graph, ["mm"], "not wanted", 100.0)
    assert todo == ()
    assert graph.units["mm"].deadline == 150.0
    graph, _ = graphs.step(graph, "mm", Exited(0), 101.0)
    assert graph.units["mm"].state is State.STOPPED


def test_a_connector_whose_bots_were_being_stopped_first_is_stopped_after_them(survivors: _Survivors) -> None:
    bf, mm = connector("bf"), bot("mm", "bf")
    fails = Stopping(After.FAIL, "stale: no message", 5.0)
    records = {
        "bf": replace(_record(bf, survivors.start(bf)), stopping=fails),
        "mm": replace(_record(mm, survivors.start(mm)), stopping=_STOP, told=True),
    }
    graph, todo = graphs.settle(_adopt(bf, mm, records=records).graph, 100.0)
    assert (todo, graph.units["bf"].state) == ((), State.STOPPING)
    graph, todo = graphs.step(graph, "mm", Exited(0), 101.0)
    assert ("bf", Terminate()) in todo
    graph, _ = graphs.step(graph, "bf", Exited(0), 102.0)
    assert (graph.units["bf"].state, graph.units["bf"].window) == (State.STARTING, (102.0,))


def test_a_connector_that_was_told_to_end_is_told_again_until_it_hears(survivors: _Survivors) -> None:
    bf = connector("bf")
    found = _adopt(bf, records={"bf": replace(_record(bf, survivors.start(bf)), stopping=_STOP, told=True)})
    assert graphs.deadline(found.graph) == 90.05
    _, todo = graphs.step(found.graph, "bf", Tick(), 100.0)
    assert todo == (("bf", Terminate()),)


def test_an_earlier_version_tells_of_a_stop_no_more_than_that_there_is_one(survivors: _Survivors) -> None:
    mm = bot("mm")
    unit = _adopt(mm, records={"mm": replace(_record(mm, survivors.start(mm)), told=True)}).graph.units["mm"]
    assert unit.stopping is not None
    assert (unit.state, unit.stopping.after, unit.deadline) == (State.STOPPING, After.WAITING, 100.0 + mm.grace)


def test_the_stop_of_an_earlier_process_is_not_that_of_the_one_that_runs(survivors: _Survivors) -> None:
    mm = bot("mm")
    earlier = replace(_record(mm, survivors.start(mm), later=-1), stopping=_STOP)
    assert _adopt(mm, records={"mm": earlier}).graph.units["mm"].state is State.STARTING


def test_hooks_are_taken_up_without_a_new_process() -> None:
    bf = connector("bf")
    hook = Hook(("/bin/true",), "/", (), 5.0)
    assert digest(replace(bf, hooks=Hooks(on_failed=hook))) == digest(bf)


def test_an_upgrade_knows_units_again_that_an_earlier_version_started() -> None:
    bf = UnitSpec(
        name="bf",
        kind=Kind.CONNECTOR,
        argv=("/bin/connector", "bf", "bybit", "/run/bf.toml"),
        executable=File("/bin/connector", "aa"),
        cwd="/",
        env=(("A", "b"),),
        target=Level.CONNECTED,
        type="bybit",
        files=(File("/run/bf.toml", "bb"),),
        channel=Channel("bf"),
    )
    assert digest(bf) == digest(replace(bf, code=())) == "cd80a393ae3a547d"
    coded = replace(bf, code=(File("/bots/mm.py", "cc"),))
    assert digest(coded) != digest(bf)
    assert is_started_from("0/a/s/bf/cd80a393ae3a547d-1/7", coded)
    assert not is_started_from(f"0/a/s/bf/{digest(coded)}-1/7", replace(coded, code=(File("/bots/mm.py", "dd"),)))
    assert digest(replace(bf, logs=Logs(keep=1))) == digest(bf)


@pytest.mark.parametrize("first", ["bf", "mm"])
def test_a_unit_is_as_old_as_its_opened_gate_and_not_as_its_process(survivors: _Survivors, first: str) -> None:
    specs = {spec.name: spec for spec in (connector("bf"), bot("mm", "bf"))}
    records = {}
    for name, spec in specs.items():
        record = _record(spec, survivors.start(spec, whose="none"))
        token = f"{_PREFIX}{name}/{digest(spec)}-0000-{1 if name == first else 255:x}"
        records[name] = replace(record, marker=f"{token}/{record.pid}")
    units = _adopt(*specs.values(), records=records).graph.units
    assert min(units, key=lambda name: units[name].born) == first
