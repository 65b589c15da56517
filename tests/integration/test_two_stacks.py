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


def _keyed(binaries: Path, name: str, prefix: str, port: int) -> dict[str, object]:
    config = {
        "stream_url": f"ws://127.0.0.1:{port}/ws",
        "api_url": f"http://127.0.0.1:{port}",
        "order_prefix": prefix,
        "api_key": "${secret:key}",
        "secret": "${secret:key}",
    }
    unit = {"type": "binancefutures", "config": config, "health": {"startup": "1s"}}
    return {
        "source": {"path": str(binaries.parent.parent)},
        "secrets": {"key": {"command": ["echo", "K3yOfBoth"]}},
        "connectors": {name: unit},
    }


def test_an_account_of_a_running_stack_with_an_order_prefix_that_overlaps_is_refused(
    machine: Machine, paper_binaries: Path, free_port: int
) -> None:
    machine.write(_keyed(paper_binaries, "bf", "mm-", free_port))
    machine.hftstack("up", machine.file)  # its exchange is away
    second = _second(machine, **_keyed(paper_binaries, "bx", "mm-1", free_port))

    done = machine.hftstack("up", second)

    assert done.code == 7, done.said
    assert "bx: the order prefix overlaps that of bf in stack s, which runs, on the same account" in done.err
    assert "K3yOfBoth" not in done.said
    machine.down()
