from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.children import until
from tests.integration.harness import lives, pair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.harness import Machine

_SLEEPER = "import time, sys; print('here', flush=True); time.sleep(1000)"


def test_what_ignores_sigterm_is_killed_after_its_grace_and_down_says_so(machine: Machine) -> None:
    sections = pair({"faults": {"ignore_sigterm": True}})
    sections["connectors"]["bf"]["stop"] = {"grace": "300ms"}
    stubborn = machine.script("stubborn.sh", "trap '' TERM; echo deaf; while :; do sleep 0.05; done")
    sections["services"] = {
        "base": {"command": [stubborn], "ready": {"log": "deaf"}, "stop": {"grace": "300ms"}},
    }
    machine.write(sections)
    machine.up()
    done = machine.hftstack("down")
    assert done.code == 5
    for unit in ("bf", "base"):
        assert f"{unit}: killed" in done.err
        assert any(line.startswith(unit) and "SIGKILL" in line for line in done.out.splitlines())
    assert "mm" in done.out
    # what a killed connector leaves in /dev/shm is the next one's to clean up
    assert machine.processes() == {}
    assert set(machine.happened("killed")) == {"bf", "base"}


def test_a_bot_has_its_grace_to_flatten_and_none_when_down_is_to_happen_now(machine: Machine) -> None:
    machine.write(pair(config={"faults": {"linger": 0.5}}))
    machine.up()
    machine.down()
    assert machine.happened("killed") == []
    machine.write(pair(config={"faults": {"linger": 60}}, stop={"grace": "60s"}))
    machine.up()
    done = machine.hftstack("down", "--now")
    assert done.code == 0, done.said
    assert "mm: killed" in done.err
    assert machine.processes() == {}


def test_nothing_that_a_unit_has_left_in_the_background_survives_down(machine: Machine) -> None:
    machine.script("sleeper.sh", "exec sleep 1000")
    forks = machine.script("forks.sh", "setsid ./sleeper.sh & ./sleeper.sh & exec sleep 1000")
    clears = machine.script(
        "clears.sh", "exec env -i /bin/sh -c 'setsid ./sleeper.sh & ./sleeper.sh & exec sleep 1000'"
    )
    machine.write(services={"forks": {"command": [forks]}, "clears": {"command": [clears]}})
    machine.up()
    until(lambda: len([command for command in machine.processes().values() if command.startswith("sleep 1000")]) == 6)
    machine.down()


def test_a_unit_without_its_environment_is_adopted_by_its_record(machine: Machine) -> None:
    clears = machine.script("clears.sh", "exec env -i sleep 1000")
    machine.write(services={"clears": {"command": [clears]}})
    machine.up()
    before = machine.pids()
    machine.kill_supervisor()
    machine.up()
    assert machine.pids() == before
    machine.down()


def test_a_service_that_forks_away_is_named_and_its_child_is_ended(machine: Machine) -> None:
    daemon = machine.script("daemon.sh", "setsid sleep 1000 & exit 0")
    machine.write(
        services={"d": {"command": [daemon], "ready": {"log": "never"}, "restart": {"limit": {"restarts": 1}}}}
    )
    done = machine.hftstack("up", machine.file)
    assert done.code == 5
    assert "exit 0" in done.err
    until(lambda: not any(command.startswith("sleep") for command in machine.processes().values()))
    machine.down()


def test_a_closed_stdout_and_a_flooded_log_stop_no_feed(machine: Machine) -> None:
    sections = pair({"faults": {"flood_log": 2000}})
    sections["connectors"]["by"] = {"type": "sim", "config": {"faults": {"close_stdout": True}}}
    sections["bots"]["mm"]["depends_on"] = ["bf", "by"]
    machine.write(sections)
    machine.up()
    machine.until_units(lambda units: units["bf"]["level"] == units["by"]["level"] == "fresh")
    machine.down()


def test_a_service_is_ready_when_its_check_holds(machine: Machine) -> None:
    flag = machine.folder / "flag"
    slow = machine.script("slow.sh", f"until test -e {flag}; do sleep 0.02; done; echo open; exec sleep 1000")
    machine.write(
        services={
            "log": {"command": [slow], "ready": {"log": "^open$"}},
            "run": {"command": [slow], "ready": {"exec": ["test", "-e", str(flag)]}},
        }
    )
    up = machine.begin("up", machine.file)
    units = machine.until_units(lambda units: all(unit["pid"] for unit in units.values()))
    assert {unit["level"] for unit in units.values()} == {"started"}
    flag.touch()
    assert up.done().code == 0
    machine.down()


def test_a_worker_of_a_unit_ends_with_it_and_the_next_start_has_its_own(machine: Machine) -> None:
    machine.script("worker.sh", "exec sleep 1000")
    parent = machine.script("parent.sh", "setsid ./worker.sh & sleep 0.5; exit 1")
    machine.write(services={"p": {"command": [parent]}})
    machine.up()
    machine.until_units(lambda units: units["p"]["restarts"] >= 2)
    until(lambda: sum(command.startswith("sleep 1000") for command in machine.processes().values()) <= 1)
    machine.down()


def test_resources_are_set_before_the_program_begins(machine: Machine) -> None:
    code = (
        "import os, resource; print(os.nice(0), resource.getrlimit(resource.RLIMIT_NOFILE)[0],"
        " open('/proc/self/timerslack_ns').read().strip() if 0 else '', sorted(os.sched_getaffinity(0)), flush=True)"
        f"; {_SLEEPER}"
    )
    resources = {"nice": 3, "cpus": [0], "limits": {"nofile": 321}}
    machine.write(
        services={"p": {"command": [sys.executable, "-c", code], "ready": {"log": "here"}, "resources": resources}}
    )
    machine.up()
    assert machine.log("p").split()[:2] == ["3", "321"]
    assert "[0]" in machine.log("p")
    machine.down()


def test_a_unit_that_dies_as_soon_as_it_is_started_busies_nobody_and_fills_no_journal(machine: Machine) -> None:
    dies = {
        "command": ["false"],
        "restart": {
            "policy": "always",
            "backoff": {"initial": "1ms", "factor": 1, "max": "1ms", "jitter": 0},
            "limit": {"restarts": 1_000_000, "window": "10m"},
        },
    }
    machine.write({"services": {"dies": dies}, **pair()})
    machine.begin("up", machine.file)
    machine.until_units(lambda units: units["dies"]["restarts"] > 200 and units["bf"]["level"] == "fresh")
    assert machine.hftstack("stop", "dies").code == 0
    events = machine.happened("start").count("dies"), len([unit for unit, *_ in machine.journal() if unit == "dies"])
    assert events[0] > 200
    assert events[1] <= 6 * events[0]
    assert len(list((machine.state / "logs/dies").iterdir())) <= 20
    assert machine.units()["bf"]["restarts"] == machine.units()["mm"]["restarts"] == 0
    machine.down()


_FREEZERS = Path("/sys/fs/cgroup/freezer")


@pytest.fixture
def freezer() -> Iterator[Path]:
    """A place in which the kernel lets nothing move, not even what was sent SIGKILL (cgroup v1)."""
    folder = _FREEZERS / f"hftstack-test-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("no cgroup v1 freezer to be had")
    yield folder
    (folder / "freezer.state").write_text("THAWED", encoding="utf-8")

    def is_gone() -> bool:
        with suppress(OSError):
            folder.rmdir()
        return not folder.exists()

    until(is_gone)


@pytest.mark.parametrize("killed", [False, True])
def test_a_unit_that_the_kernel_does_not_let_go_is_named_blocks_no_stop_and_is_never_started_twice(
    machine: Machine, freezer: Path, *, killed: bool
) -> None:
    sections = pair(stop={"grace": "300ms"})
    machine.write(sections)
    machine.up()
    stuck = machine.pids()["mm"]
    assert stuck is not None
    (freezer / "tasks").write_text(str(stuck), encoding="utf-8")
    (freezer / "freezer.state").write_text("FROZEN", encoding="utf-8")
    assert machine.hftstack("restart", "mm").code == 5
    machine.until_units(lambda units: units["mm"]["state"] == "lost")
    if killed:
        machine.kill_supervisor()
    assert machine.hftstack("up", machine.file, "--timeout", "3s").code == 5
    assert machine.members()["mm"] == [stuck]
    done = machine.hftstack("down", "s")
    assert done.code == 5, done.said
    assert str(stuck) in done.said
    assert machine.members() == {"mm": [stuck]}
    (freezer / "freezer.state").write_text("THAWED", encoding="utf-8")
    until(lambda: not lives(stuck))
    machine.up()
    machine.down()


def test_a_unit_that_hides_its_environment_from_us_is_adopted_by_its_record(machine: Machine) -> None:
    hides = "import ctypes, time; ctypes.CDLL(None).prctl(4, 0); print('hidden', flush=True); time.sleep(1000)"
    machine.write(services={"db": {"command": [sys.executable, "-c", hides], "ready": {"log": "hidden"}}})
    machine.up()
    pid = machine.pids()["db"]
    assert pid is not None
    assert Path(f"/proc/{pid}/environ").stat().st_uid == 0
    before = machine.supervisor()
    os.kill(before, signal.SIGKILL)
    until(lambda: machine.supervisor() != before and machine.pids().get("db") == pid)
    machine.kill_supervisor()
    machine.up()
    assert machine.pids() == {"db": pid}
    machine.down()
