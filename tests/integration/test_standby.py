"""A unit's next process waits behind its gate: what that changes for whoever looks, kills, changes or stops."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.children import until
from tests.integration.harness import lives, pair

if TYPE_CHECKING:
    from tests.integration.harness import Machine


def _service(machine: Machine, line: str = "echo begun; exec sleep 1000", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML
    return {"services": {"a": {"command": [machine.script("a.sh", line)], "ready": {"log": "begun"}, **more}}}


def _waiting(machine: Machine) -> list[int]:
    """Return the processes of this folder that a closed gate holds."""
    found = machine.processes()
    return [pid for pid, command in found.items() if " gate " in command and not machine.is_opened(pid)]


def _standby(machine: Machine) -> int:
    until(lambda: len(_waiting(machine)) == 1)
    (pid,) = _waiting(machine)
    return pid


def _until_up(machine: Machine, pid: int) -> dict[str, dict[str, Any]]:
    return machine.until_units(lambda units: units["a"]["pid"] == pid and units["a"]["state"] == "up")


def _logs(machine: Machine) -> list[str]:
    return sorted(path.name for path in (machine.state / "logs/a").iterdir())


def test_a_killed_unit_goes_on_in_the_process_that_waited(machine: Machine) -> None:
    machine.write(_service(machine))
    machine.up()
    for restarts in (1, 2):
        waiting = _standby(machine)
        before = machine.units()["a"]
        assert _logs(machine)[-1] == Path(before["log"]).name
        assert machine.members() == {"a": [before["pid"]]}
        os.kill(before["pid"], signal.SIGKILL)
        after = _until_up(machine, waiting)
        assert after["a"]["restarts"] == restarts
        assert Path(after["a"]["log"]).read_text() == "begun\n"
        assert len(_logs(machine)) == restarts + 1
        assert machine.members() == {"a": [waiting]}
    machine.down()


@pytest.mark.parametrize("guarded", [True, False])
def test_a_standby_leaves_with_its_supervisor_and_is_nobodys_to_the_next_one(machine: Machine, guarded: bool) -> None:  # noqa: FBT001 - a case
    machine.write(_service(machine))
    machine.up()
    waiting, unit = _standby(machine), machine.pids()["a"]
    if guarded:
        os.kill(machine.supervisor(), signal.SIGKILL)
    else:
        machine.kill_supervisor()
    until(lambda: not lives(waiting))
    machine.up()
    found = machine.until_units(lambda units: units["a"]["state"] == "up")
    assert (found["a"]["pid"], found["a"]["restarts"]) == (unit, 0)
    assert _standby(machine) != waiting
    assert machine.happened("adopted") == ["a"]
    assert machine.happened("members") == []
    machine.down()


def test_a_standby_that_somebody_kills_is_reaped_and_its_unit_restarts_without_it(machine: Machine) -> None:
    machine.write(_service(machine))
    machine.up()
    waiting, unit = _standby(machine), machine.pids()["a"]
    assert unit is not None
    os.kill(waiting, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{waiting}").exists())
    assert machine.pids()["a"] == unit
    os.kill(unit, signal.SIGKILL)
    found = machine.until_units(lambda units: units["a"]["restarts"] == 1 and units["a"]["state"] == "up")
    assert found["a"]["pid"] not in {unit, waiting, None}
    machine.down()


def test_a_changed_unit_starts_from_the_change_and_not_from_what_waited(machine: Machine) -> None:
    line = 'echo "begun $WHAT"; exec sleep 1000'
    machine.write(_service(machine, line, env={"WHAT": "old"}))
    machine.up()
    waiting = _standby(machine)
    machine.write(_service(machine, line, env={"WHAT": "new"}))
    machine.up()
    until(lambda: not Path(f"/proc/{waiting}").exists())
    assert machine.log("a") == "begun new\n"
    _standby(machine)
    machine.down()


def test_the_bot_of_a_killed_connector_goes_on_in_the_process_that_waited(machine: Machine) -> None:
    machine.write(pair())
    machine.up()
    until(lambda: len(_waiting(machine)) == 2)
    waiting, before = set(_waiting(machine)), machine.pids()
    assert before["bf"] is not None
    os.kill(before["bf"], signal.SIGKILL)
    after = machine.until_units(lambda units: all(units[name]["pid"] in waiting for name in ("bf", "mm")))
    machine.until_units(lambda units: units["mm"]["state"] == "up")
    assert {after[name]["pid"] for name in after} == waiting
    seen = machine.ticks("mm")
    until(lambda: machine.ticks("mm") > seen)
    # a bot that waited before its connector did is attached to it all the same
    before = machine.pids()
    machine.kill_supervisor()
    machine.up()
    assert machine.pids() == before
    machine.down()


def test_a_standby_whose_log_cannot_be_written_runs_without_one(machine: Machine) -> None:
    machine.write({"services": {"a": {"command": ["sleep", "1000"]}}})
    machine.up()
    waiting, unit = _standby(machine), machine.pids()["a"]
    assert unit is not None
    logs = machine.state / "logs/a"
    logs.rename(logs.with_name("elsewhere"))
    logs.touch()
    os.kill(unit, signal.SIGKILL)
    _until_up(machine, waiting)
    until(lambda: Path(f"/proc/{waiting}/comm").read_text().strip() == "sleep")
    assert machine.happened("no-log") == ["a"]
    logs.unlink()
    machine.down()
