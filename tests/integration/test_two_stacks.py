"""Two stacks on one machine: what they may not have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.harness import Machine


def _second(machine: Machine, **sections: object) -> Path:
    file = machine.folder / "second.yaml"
    machine.write({"name": "second", **sections}, file=file)
    return file


def test_a_channel_of_a_running_stack_is_refused_by_the_stack_s_name(machine: Machine) -> None:
    machine.write(connectors={"bf": {"type": "sim"}})
    machine.up()
    before = machine.pids()

    done = machine.hftstack("up", _second(machine, connectors={"bf": {"type": "sim"}}))

    assert done.code == 7
    assert "bf: the channel bf is that of stack s, which runs" in done.err
    assert machine.pids() == before
    machine.down()


def test_once_the_other_stack_is_down_its_channel_is_free(machine: Machine) -> None:
    machine.write(connectors={"bf": {"type": "sim"}})
    machine.up()
    machine.down()
    second = _second(machine, connectors={"bf": {"type": "sim"}})

    assert machine.hftstack("up", second).code == 0
    assert machine.hftstack("down", second).code == 0


def test_a_core_of_a_running_stack_is_a_warning(machine: Machine) -> None:
    pinned = {"command": ["sleep", "1000"], "resources": {"cpus": [0]}}
    machine.write(services={"rest": pinned})
    machine.up()
    second = _second(machine, services={"other": pinned})

    done = machine.hftstack("up", second)

    assert done.code == 0
    assert "warning: other: core 0 is that of rest in stack s too" in done.err
    assert machine.hftstack("down", second).code == 0
    machine.down()


def test_the_damaged_record_of_another_stack_hinders_nobody(machine: Machine) -> None:
    machine.write(services={"rest": {"command": ["sleep", "1000"]}})
    machine.up()
    record = machine.state / "deployment.json"
    kept = record.read_bytes()
    record.write_bytes(b"{")
    second = _second(machine, services={"other": {"command": ["sleep", "1000"]}})

    assert machine.hftstack("up", second).code == 0
    assert machine.hftstack("down", second).code == 0
    record.write_bytes(kept)
    machine.down()
