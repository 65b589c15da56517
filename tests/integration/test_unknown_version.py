"""Channels of an iceoryx2 version that hftstack has never seen: the stack runs, and says what it cannot know."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.children import until
from tests.integration.harness import pair

if TYPE_CHECKING:
    from tests.integration.harness import Machine

_REPOSITORY = Path(__file__).parents[2]

_UNKNOWN = """
import struct
import tomllib
from pathlib import Path
from orchestrator.sim import wire

KNOWN, UNKNOWN = 0xA0000, 0xB0000
settings = tomllib.loads(Path("config/iceoryx2.toml").read_text())["global"]
genuine = wire._open

def mark(version):
    for segment in Path("/dev/shm").glob(settings["prefix"] + "*.dynamic"):
        with segment.open("r+b") as file:
            file.write(struct.pack("<Q", version))

def opened(*arguments):
    # the library compares versions when it opens a service, not afterwards; its ports come later
    mark(KNOWN)
    service = genuine(*arguments)
    mark(UNKNOWN)
    if {hidden}:
        for tag in Path(settings["root-path"], "nodes").glob("*/*.service_tag"):
            tag.unlink()
    return service

wire._open = opened
"""
"""Loaded by Python at its start: whatever service the simulator opens says that it is of version 0.11."""


def _stack(machine: Machine, *, hidden: bool) -> dict[str, Any]:
    place = machine.folder / "site"
    place.mkdir()
    (place / "sitecustomize.py").write_text(_UNKNOWN.format(hidden=hidden), encoding="utf-8")
    stack = pair()
    for unit in (stack["connectors"]["bf"], stack["bots"]["mm"]):
        unit["env"] = {"PYTHONPATH": f"{place}:{_REPOSITORY}"}
    return stack


@pytest.mark.parametrize("hidden", [False, True])
def test_a_version_never_seen_before_is_unverified_and_the_stack_runs(machine: Machine, *, hidden: bool) -> None:
    machine.write(_stack(machine, hidden=hidden))
    done = machine.up()
    assert "bf runs unverified: iceoryx2 0.11.0 is not a version that hftstack can read" in done.err
    assert "mm counted as attached unproven" in done.err
    units = machine.until_units(lambda units: units["bf"]["channel"]["verdict"] == "unverified")
    bot, channel = units["mm"], units["bf"]["channel"]
    assert (units["bf"]["state"], units["bf"]["level"], channel["iceoryx2"]) == ("up", "live", "0.11.0")
    assert (bot["state"], bot["level"], bot["proven"]) == ("up", "ready", False)
    assert channel["bots"] == ([] if hidden else [{"pid": bot["pid"], "written": None, "lag": None}])
    until(lambda: machine.ticks("mm") > 0)
    status = machine.hftstack("status", "s")
    assert status.code == 0, status.said
    assert "unverified: iceoryx2 0.11.0" in status.out
    assert "on bf, unproven" in status.out
    machine.down()


def test_a_bot_that_opens_nothing_is_not_attached_to_an_unverified_channel(machine: Machine) -> None:
    stack = _stack(machine, hidden=False)
    stack["bots"]["mm"] = {"command": ["sleep", "600"], "depends_on": ["bf"], "health": {"startup": "3s"}}
    machine.write(stack)
    done = machine.hftstack("up", machine.file)
    assert done.code == 5, done.said
    assert machine.units()["bf"]["level"] == "live"
    assert machine.units()["mm"]["level"] == "started"
    machine.down()


def test_probe_names_the_processes_on_an_unverified_channel(machine: Machine) -> None:
    machine.write(_stack(machine, hidden=False))
    machine.up()
    bot = machine.pids()["mm"]

    def looked() -> dict[str, Any] | None:
        found = json.loads(machine.hftstack("probe", "s", "--format", "json").out)[0]
        return found if found["verdict"] == "unverified" else None

    found = until(looked)
    assert found is not None
    assert found["iceoryx2"] == "0.11.0"
    assert [(user["pid"], user["written"]) for user in found["bots"]] == [(bot, None)]
    done = machine.hftstack("probe", "s")
    assert done.code == 5
    assert f"iceoryx2 0.11.0 is not a version that hftstack can read: mm {bot}" in done.out
    machine.down()


def test_an_external_connector_of_such_a_version_is_not_guessed_at(machine: Machine) -> None:
    stack = _stack(machine, hidden=False)
    env = stack["connectors"]["bf"]["env"]
    stack["connectors"]["bf"] = {"type": "sim", "external": True, "health": {"startup": "3s"}}
    machine.write(stack)
    by_hand = machine.other(
        sys.executable, "-m", "orchestrator.sim", "connector", "bf", env={**env, "PATH": "/usr/bin:/bin"}
    )
    done = machine.hftstack("up", machine.file)
    assert done.code == 5, done.said
    assert machine.units()["bf"]["pid"] is None
    told = f"which of the processes on its channel is the connector cannot be told ({by_hand.pid})"
    assert told in done.err
    assert "start it yourself" not in done.err
    machine.hftstack("down")
    by_hand.kill()
    by_hand.wait(20)
