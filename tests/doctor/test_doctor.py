"""`hftstack doctor` on real channels."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.children import until
from tests.integration.harness import Machine, pair

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def machine() -> Iterator[Machine]:
    started = Machine()
    yield started
    started.close()


def _findings(machine: Machine) -> tuple[int, list[dict[str, Any]]]:
    done = machine.hftstack("doctor", machine.file, "--format", "json")
    told = json.loads(done.out)
    assert (told["stack"], told["file"], set(told)) == ("s", str(machine.file), {"stack", "file", "well", "findings"})
    assert told["well"] == (done.code == 0)
    for finding in told["findings"]:
        assert set(finding) == {"check", "unit", "verdict", "message", "cure"}
        assert (finding["cure"] is None) == (finding["verdict"] == "ok")
    return done.code, told["findings"]


def _channels(machine: Machine) -> tuple[int, dict[str, tuple[str, str]]]:
    code, findings = _findings(machine)
    return code, {f["unit"]: (f["verdict"], f["message"]) for f in findings if f["check"] == "channel"}


def test_each_channel_is_told_with_its_owner(machine: Machine) -> None:
    machine.write(connectors={"bf": {"type": "sim"}, "by": {"type": "sim"}})
    assert _channels(machine) == (
        0,
        {"bf": ("ok", "the channel bf is free"), "by": ("ok", "the channel by is free")},
    )
    stranger = machine.other(sys.executable, "-m", "orchestrator.sim", "connector", "by")
    until(lambda: _channels(machine)[0] == 5)
    verdict, message = _channels(machine)[1]["by"]
    assert verdict == "bad"
    assert message.startswith(f"the channel by is held by pid {stranger.pid} (")
    said = machine.hftstack("doctor", machine.file)
    assert said.code == 5
    assert "stop that process, or give this connector another name" in said.out
    refused = machine.hftstack("up", machine.file)
    assert refused.code == 7
    assert message in refused.err


def test_a_running_stack_is_well(machine: Machine) -> None:
    machine.write(pair())
    machine.up()
    pid = machine.pids()["bf"]
    code, channels = _channels(machine)
    assert code == 0
    assert channels["bf"] == ("ok", f"the channel bf is live: pid {pid}, iceoryx2 0.10.0, 1 bot")
    assert machine.hftstack("doctor", machine.file, "--repair", "--yes").out.startswith("nothing to repair")
    assert machine.pids()["bf"] == pid
    machine.down()


def test_repair_removes_what_a_dead_connector_left_and_nothing_else(machine: Machine) -> None:
    machine.write(connectors={"bf": {"type": "sim"}})
    dead, living, other = (
        machine.other(sys.executable, "-m", "orchestrator.sim", "connector", name) for name in ("bf", "by", "bz")
    )
    channels = [word for name in ("bf", "by", "bz") for word in ("--channel", name)]
    until(lambda: machine.hftstack("probe", *channels).code == 0)
    for process in (dead, other):
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    before = set(machine.shared_memory())
    asked = machine.hftstack("doctor", machine.file, "--repair")
    shown = [line.split()[1] for line in asked.out.splitlines()]
    assert (asked.code, "--yes" in asked.err) == (5, True)
    assert set(machine.shared_memory()) == before
    done = machine.hftstack("doctor", machine.file, "--repair", "--yes")
    assert done.code == 0, done.said
    assert not any(Path(path).exists() for path in shown)
    gone = before - set(machine.shared_memory())
    assert gone == {Path(path).name for path in shown if path.startswith("/dev/shm/")}
    assert {name.rpartition(".")[2] for name in gone} == {"dynamic", "data"}
    assert machine.hftstack("probe", "--channel", "by").code == 0
    assert machine.hftstack("probe", "--channel", "bz").out.splitlines()[1].split()[1] == "stale"
    assert living.poll() is None
    machine.up()
    machine.hftstack("down", "s")


def test_what_a_supervisor_is_about_to_start_is_left_to_it(machine: Machine) -> None:
    service = {"command": ["sleep", "1000"], "ready": {"log": "never"}}
    machine.write(services={"s": service}, connectors={"bf": {"type": "sim", "depends_on": ["s"]}})
    machine.begin("up", machine.file)
    machine.until_units(lambda units: units["bf"]["state"] == "waiting")
    done = machine.hftstack("doctor", machine.file, "--repair", "--yes")
    assert "bf: left alone, its supervisor is starting it" in done.err
    machine.hftstack("down", "s")
