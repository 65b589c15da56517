from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tests.children import until
from tests.integration.harness import pair

if TYPE_CHECKING:
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
