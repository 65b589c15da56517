"""Units that have failed for good: what becomes of the others, and how the operator brings them back."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

from tests.children import until

if TYPE_CHECKING:
    from tests.integration.harness import Machine


def _stack(machine: Machine, choice: str, wound: str) -> None:
    """Write a service that dies while a file is there, and two that do not; `b` hangs on it."""
    line = machine.script("a", f"[ -e {machine.folder / wound} ] && exit 7; exec sleep 1000")
    limit = {"limit": {"restarts": 1, "window": "10m"}, "on_limit": choice}
    sleep = {"command": ["sleep", "1000"], "depends_on": {"a": {"on_restart": "keep"}}}
    machine.write(
        services={"a": {"command": [line], "restart": limit}, "b": sleep, "c": {"command": ["sleep", "1000"]}}
    )


def _wound(machine: Machine, wound: str) -> None:
    (machine.folder / wound).touch()
    pid = machine.pids()["a"]
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def test_reset_brings_back_what_failed_and_what_hangs_on_it(machine: Machine) -> None:
    _stack(machine, "stop-dependents", "wound")
    machine.up()
    other = machine.pids()["c"]
    _wound(machine, "wound")
    machine.until_units(lambda units: units["a"]["state"] == "failed" and units["b"]["pid"] is None)
    still = machine.hftstack("reset", "a")
    assert still.code == 5, still.said
    (machine.folder / "wound").unlink()
    done = machine.hftstack("reset", "a")
    assert done.code == 0, done.said
    assert done.out.splitlines()[-1].startswith("reset a in ")
    back = machine.until_units(lambda units: units["a"]["state"] == units["b"]["state"] == "up")
    assert back["c"]["pid"] == other
    again = machine.hftstack("reset", "a", "c")
    assert (again.code, again.out) == (0, "nothing to reset: a, c had not failed\n")
    machine.down()


def test_kept_dependents_run_on_beside_what_failed(machine: Machine) -> None:
    _stack(machine, "keep", "wound")
    machine.up()
    before = machine.pids()
    _wound(machine, "wound")
    after = machine.until_units(lambda units: units["a"]["state"] == "failed")
    assert (after["b"]["pid"], after["b"]["state"]) == (before["b"], "up")
    machine.down()


def test_halt_stack_stops_everything_and_latches_until_resume(machine: Machine) -> None:
    _stack(machine, "halt-stack", "wound")
    machine.up()
    _wound(machine, "wound")
    until(lambda: not machine.processes())
    status = machine.hftstack("status", "s", "--format", "json")
    halted = json.loads(status.out)["halted"]
    assert (halted["scope"], halted["user"]) == ("stack", "hftstack")
    assert halted["reason"].startswith("a: exit 7; 1 restarts within")
    refused = machine.hftstack("up", machine.file)
    assert refused.code == 7, refused.said
    (machine.folder / "wound").unlink()
    assert machine.hftstack("resume", "--stack", "s", "--reason", "mended").code == 0
    machine.up()
    machine.down()
