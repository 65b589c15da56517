"""start, stop, restart and up of single units."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests.children import until
from tests.integration.harness import lives, pair

if TYPE_CHECKING:
    from tests.integration.harness import Machine

_TWO = {
    "connectors": {"bf": {"type": "sim"}, "by": {"type": "sim"}},
    "bots": {"mm": {"type": "sim", "depends_on": ["bf", "by"], "stop": {"grace": "2s"}}},
}


def _states(machine: Machine) -> dict[str, str]:
    return {name: unit["state"] for name, unit in machine.units().items()}


def test_a_stopped_unit_stays_down_with_what_hangs_below_it_and_comes_back_when_it_is_started(machine: Machine) -> None:
    machine.write(_TWO)
    machine.up()
    by = machine.pids()["by"]
    done = machine.hftstack("stop", "bf")
    assert done.code == 0, done.said
    assert done.out.startswith("bf  stopped\nmm  stopped\nstopped in ")
    assert "orders at the exchange were NOT cancelled" in done.out
    assert machine.happened("exit") == ["mm", "bf"]
    assert _states(machine) == {"bf": "stopped", "by": "up", "mm": "stopped"}
    assert machine.hftstack("status").code == 0

    supervisor = machine.supervisor()
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: machine.supervisor() != supervisor)
    machine.until_units(lambda units: units["by"]["state"] == "up")
    assert _states(machine) == {"bf": "stopped", "by": "up", "mm": "stopped"}

    started = machine.hftstack("start", "mm")
    assert started.code == 0, started.said
    assert [line.split()[:2] for line in started.out.splitlines()] == [
        ["bf", "live"],
        ["mm", "ready"],
        ["started", "in"],
    ]
    assert _states(machine) == {"bf": "up", "by": "up", "mm": "up"}
    assert machine.pids()["by"] == by
    assert "nothing to start: mm up already" in machine.hftstack("start", "mm").out
    machine.down()


def test_a_stop_of_what_is_down_already_is_no_mistake(machine: Machine) -> None:
    machine.write(services={"base": {"command": ["sleep", "1000"]}, "other": {"command": ["sleep", "1000"]}})
    machine.up()
    first, again = machine.hftstack("stop", "base"), machine.hftstack("stop", "base")
    assert (first.code, again.code) == (0, 0)
    assert "NOT cancelled" not in first.out
    assert again.out.startswith("nothing to stop: base down already")
    machine.down()


def test_start_clears_what_had_failed_and_says_why_it_fails_again(machine: Machine) -> None:
    script = machine.script("once.sh", "test -e good || { echo no honey; exit 3; }; exec sleep 1000")
    machine.write(
        services={
            "base": {"command": [script], "ready": {"exec": ["test", "-e", "good"]}, "restart": {"policy": "never"}}
        },
        connectors={"bf": {"type": "sim", "depends_on": ["base"]}},
    )
    assert machine.hftstack("up", machine.file).code == 5
    done = machine.hftstack("start", "bf")
    assert done.code == 5
    assert "base: ready not reached" in done.err
    assert "| no honey" in done.err
    assert "still waiting: bf" in done.err
    (machine.folder / "good").touch()
    assert machine.hftstack("start", "bf").code == 0
    assert _states(machine) == {"base": "up", "bf": "up"}
    machine.down()


def test_restart_gives_a_connector_and_its_bots_new_processes_and_counts_no_failure(machine: Machine) -> None:
    machine.write(_TWO)
    machine.up()
    before = machine.pids()
    done = machine.hftstack("restart", "bf")
    assert done.code == 0, done.said
    assert done.out.splitlines()[-1].startswith("restarted bf, mm in ")
    units = machine.units()
    assert {name for name in before if units[name]["pid"] != before[name]} == {"bf", "mm"}
    assert units["bf"]["restarts"] == 0
    assert {unit["state"] for unit in units.values()} == {"up"}
    machine.until_units(lambda units: units["bf"]["level"] == "fresh")
    machine.down()


def test_restarts_at_the_same_moment_end_with_one_process_of_each(machine: Machine) -> None:
    machine.write(_TWO)
    machine.up()
    begun = [machine.begin(*words) for words in (("restart", "bf"), ("restart", "bf", "by"), ("start", "mm"))]
    assert [running.done().code for running in begun] == [0, 0, 0]
    assert {unit: len(pids) for unit, pids in machine.members().items()} == {"bf": 1, "by": 1, "mm": 1}
    machine.down()


def test_a_bot_that_is_not_ours_refuses_stop_and_restart_unless_forced(machine: Machine) -> None:
    machine.write(_TWO)
    machine.up()
    stranger = machine.other(sys.executable, "-m", "orchestrator.sim", "bot", "bf")
    machine.until_units(lambda units: stranger.pid in {bot["pid"] for bot in units["bf"]["channel"]["bots"]})
    before = machine.pids()
    for verb in ("stop", "restart"):
        done = machine.hftstack(verb, "bf")
        assert done.code == 7
        assert f"pid {stranger.pid} (" in done.err
        assert "--force" in done.err
    assert machine.pids() == before
    assert machine.hftstack("stop", "mm").code == 0
    assert machine.hftstack("restart", "by").code == 0
    assert machine.hftstack("restart", "bf", "--force").code == 0
    assert machine.hftstack("stop", "bf", "--now", "--force").code == 0
    assert lives(stranger.pid)
    stranger.terminate()
    stranger.wait()
    machine.down()


def test_a_bot_that_does_not_end_cleanly_is_named_and_stop_exits_5(machine: Machine) -> None:
    stubborn = machine.script("stubborn", "trap 'exit 9' TERM; touch armed; while true; do sleep 0.05; done")
    machine.write(bots={"mm": {"command": [stubborn]}})
    machine.up()
    until((machine.folder / "armed").exists)
    done = machine.hftstack("stop", "mm")
    assert done.code == 5
    assert done.out.startswith("mm  exit 9\n")
    machine.down()


def test_ctrl_c_during_start_stops_what_it_had_started_and_nothing_else(machine: Machine) -> None:
    slow = {"command": ["sleep", "1000"], "ready": {"exec": ["test", "-e", "good"]}, "health": {"startup": "60s"}}
    machine.write(
        services={"base": {"command": ["sleep", "1000"]}, "slow": slow, "other": {"command": ["sleep", "1000"]}}
    )
    (machine.folder / "good").touch()
    machine.up()
    assert machine.hftstack("stop", "base", "slow", "other").code == 0
    (machine.folder / "good").unlink()
    assert machine.hftstack("start", "other").code == 0
    start = machine.begin("start", "slow", "base")
    machine.until_units(lambda units: units["slow"]["pid"] and units["base"]["state"] == "up")
    start.process.send_signal(signal.SIGINT)
    done = start.done()
    assert done.code == 130, done.said
    assert "stopped what this `start` had started: base, slow" in done.err
    assert _states(machine) == {"base": "stopped", "slow": "stopped", "other": "up"}
    machine.down()


def test_a_start_that_is_given_no_time_says_what_is_missing(machine: Machine) -> None:
    slow = {"command": ["sleep", "1000"], "ready": {"exec": ["test", "-e", "good"]}, "health": {"startup": "60s"}}
    machine.write(services={"slow": slow})
    (machine.folder / "good").touch()
    machine.up()
    (machine.folder / "good").unlink()
    done = machine.hftstack("restart", "slow", "--timeout", "100ms")
    assert done.code == 5
    assert "slow: ready not reached" in done.err
    machine.down("--now")


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "wait"])
def test_without_a_supervisor_the_way_to_one_is_named(machine: Machine, verb: str) -> None:
    assert machine.hftstack(verb, "mm").code == 5
    machine.write(**pair())
    machine.up()
    before = machine.members()
    machine.kill_supervisor()
    done = machine.hftstack(verb, "mm")
    assert done.code == 5
    assert f"s runs without a supervisor\n    hftstack up {machine.file} takes it over\n" in done.err
    assert machine.members() == before
    machine.hftstack("down")
    done = machine.hftstack(verb, "-s", "s", "mm")
    assert done.code == 5
    assert f"s is not running\n    hftstack up {machine.file} starts it\n" in done.err


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "wait", "logs", "up"])
def test_an_unknown_unit_is_named_with_the_nearest_and_touches_nothing(machine: Machine, verb: str) -> None:
    machine.write(services={"base": {"command": ["sleep", "1000"]}})
    machine.up()
    before = machine.pids()
    for words in (("bsae",), ("--", "-f"), ("../x",), ("base", "../../etc")):
        done = machine.hftstack(verb, "-s", "s.yaml", *words)
        assert done.code == 2, done.said
        assert "has no unit" in done.err
        assert "Traceback" not in done.err
    assert "did you mean base?" in machine.hftstack(verb, "-s", "s.yaml", "bsae").err
    for option in ("-X", "--no-such"):
        assert machine.hftstack(verb, option).code == 2
    assert machine.pids() == before
    machine.down()


def test_up_of_a_unit_starts_it_with_what_it_needs_and_leaves_the_rest_as_it_is(machine: Machine) -> None:
    machine.write(_TWO)
    done = machine.hftstack("up", machine.file, "bf")
    assert done.code == 0, done.said
    assert _states(machine) == {"bf": "up", "by": "stopped", "mm": "stopped"}
    bf = machine.pids()["bf"]
    machine.write(
        connectors={"bf": {"type": "sim", "config": {"rate": 7}}, "by": {"type": "sim"}, "bz": {"type": "sim"}},
        bots=_TWO["bots"],
    )
    assert machine.hftstack("up", machine.file, "by").code == 0
    assert _states(machine) == {"bf": "up", "by": "up", "mm": "stopped", "bz": "stopped"}
    assert machine.pids()["bf"] == bf
    done = machine.hftstack("up", "-s", machine.file, "mm")
    assert done.code == 0, done.said
    assert "restarted bf (argv, config)" in done.out
    assert machine.pids()["bf"] != bf
    assert _states(machine) == {"bf": "up", "by": "up", "mm": "up", "bz": "stopped"}
    machine.down()


def test_up_of_a_unit_does_not_remove_what_the_file_no_longer_names(machine: Machine) -> None:
    machine.write(services={"a": {"command": ["sleep", "1000"]}, "b": {"command": ["sleep", "1000"]}})
    machine.up()
    before = machine.pids()
    machine.write(services={"c": {"command": ["sleep", "1000"]}})
    assert machine.hftstack("up", machine.file, "c").code == 0
    after = machine.pids()
    assert {name: after[name] for name in before} == before
    assert after["c"]
    machine.up()
    assert machine.pids().keys() == {"c"}
    machine.down()


def test_down_while_units_are_started_ends_that_too(machine: Machine) -> None:
    slow = {"command": ["sleep", "1000"], "ready": {"exec": ["test", "-e", "good"]}, "health": {"startup": "60s"}}
    machine.write(services={"slow": slow})
    (machine.folder / "good").touch()
    machine.up()
    (machine.folder / "good").unlink()
    restart = machine.begin("restart", "slow")
    machine.until_units(lambda units: units["slow"]["state"] == "starting")
    machine.down()
    done = restart.done()
    assert done.code == 5
    assert "Traceback" not in done.said
