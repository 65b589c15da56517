"""A change that does not work out is taken back, where the stack file says so."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.children import until
from tests.integration.harness import pair

if TYPE_CHECKING:
    from tests.integration.harness import Machine

_BROKEN = {"rate": 100, "faults": {"die_before_live": True}}


def _stack(config: dict[str, Any], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML
    stack = pair(config)
    stack["connectors"]["bf"]["restart"] = {"limit": {"restarts": 0, "window": "10m"}}
    stack["services"] = {"idle": {"command": ["sleep", "1000"]}}
    return {"rollback": True, **stack, **more}


def _fresh(units: dict[str, dict[str, Any]]) -> bool:
    return (units["bf"]["level"], units["bf"]["state"], units["mm"]["state"]) == ("fresh", "up", "up")


def test_a_changed_unit_that_does_not_get_ready_goes_back_with_what_hangs_on_it(machine: Machine) -> None:
    machine.write(_stack({"rate": 50}))
    machine.up()
    assert machine.hftstack("stop", "idle").code == 0
    before = machine.until_units(_fresh)
    machine.write(_stack(_BROKEN))
    done = machine.hftstack("up", machine.file)
    assert done.code == 5, done.said
    assert "bf: live not reached" in done.err
    assert "s is back to what ran before" in done.err
    assert "bf did not become ready" in done.err
    after = machine.until_units(_fresh)
    assert all(after[name]["pid"] != before[name]["pid"] for name in ("bf", "mm"))
    assert (after["idle"]["state"], after["idle"]["pid"]) == ("stopped", None)
    assert ("rollback", "bf did not get there: back to what ran before") in [entry[1:] for entry in machine.journal()]
    assert machine.hftstack("status").code == 0
    assert len(list((machine.runtime / "configs").glob("bf-*"))) == 1
    machine.down()


def test_a_unit_that_was_added_and_fails_is_removed_again_and_the_rest_runs_on(machine: Machine) -> None:
    machine.write(_stack({"rate": 50}))
    machine.up()
    before = machine.pids()
    machine.write(
        _stack({"rate": 50}, services={"idle": {"command": ["sleep", "1000"]}, "bad": {"command": ["false"]}})
    )
    done = machine.hftstack("up", machine.file)
    assert done.code == 5, done.said
    machine.until_units(lambda units: "bad" not in units)
    assert machine.pids() == before
    machine.down()


def test_without_it_what_was_changed_stays_as_it_came_out(machine: Machine) -> None:
    machine.write(_stack({"rate": 50}))
    machine.up()
    machine.write(_stack(_BROKEN, rollback=False))
    done = machine.hftstack("up", machine.file)
    assert done.code == 5, done.said
    assert "back to what ran" not in done.err
    assert machine.until_units(lambda units: units["bf"]["state"] == "failed")["mm"]["pid"] is None
    machine.down()


def _waiting(file: str, **service: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML
    """Return a service that is ready once a file is there, and one that the operator has stopped."""
    db = {"command": ["sleep", "1000"], "ready": {"exec": ["test", "-e", file]}, "health": {"startup": "3s"}}
    return {
        "rollback": True,
        "services": {"db": {**db, **service}, "idle": {"command": ["sleep", "1000"]}},
        "defaults": {"restart": {"limit": {"restarts": 0, "window": "10m"}}},
    }


def _begun(machine: Machine) -> int:
    """Begin a change of `db` that waits for the file `new`; returns the pid that it gives the unit."""
    machine.write(_waiting("old"))
    (machine.folder / "old").touch()
    machine.up()
    assert machine.hftstack("stop", "idle").code == 0
    before = machine.pids()["db"]
    machine.write(_waiting("new", env={"CHANGED": "yes"}))
    machine.begin("up", machine.file)
    units = machine.until_units(lambda units: units["db"]["pid"] not in {None, before})
    pid: int = units["db"]["pid"]
    return pid


def _deployed(machine: Machine) -> str:
    """Return the file that the deployed `db` waits for."""
    record = json.loads((machine.state / "deployment.json").read_text(encoding="utf-8"))
    found: str = next(unit["ready"]["execute"][-1] for unit in record["units"] if unit["name"] == "db")
    return found


def _kill_supervisor_alone(machine: Machine) -> None:
    supervisor = machine.supervisor()
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: machine.supervisor() != supervisor and machine.units())


def test_a_change_is_taken_back_although_the_supervisor_is_killed_in_its_midst(machine: Machine) -> None:
    pid = _begun(machine)
    _kill_supervisor_alone(machine)
    assert machine.pids()["db"] == pid
    units = machine.until_units(lambda units: units["db"]["state"] == "up" and units["db"]["pid"] != pid)
    assert units["idle"]["pid"] is None
    assert _deployed(machine) == "old"
    until(lambda: not (machine.state / "before.json").exists())
    assert ("rollback", "db did not get there: back to what ran before") in [entry[1:] for entry in machine.journal()]
    machine.down()


def test_a_change_that_works_out_stays_although_the_supervisor_is_killed_in_its_midst(machine: Machine) -> None:
    pid = _begun(machine)
    _kill_supervisor_alone(machine)
    (machine.folder / "new").touch()
    until(lambda: not (machine.state / "before.json").exists())
    assert machine.units()["db"]["state"] == "up"
    assert machine.pids()["db"] == pid
    assert _deployed(machine) == "new"
    assert "rollback" not in [what for _, what, _ in machine.journal()]
    machine.down()


def test_killed_while_it_takes_a_change_back_it_is_taken_back_by_the_next(machine: Machine) -> None:
    pid = _begun(machine)
    (machine.folder / "old").unlink()
    until(lambda: _deployed(machine) == "old")
    _kill_supervisor_alone(machine)
    (machine.folder / "old").touch()
    units = machine.until_units(lambda units: units["db"]["state"] == "up" and units["db"]["pid"] != pid)
    assert units["idle"]["pid"] is None
    until(lambda: not (machine.state / "before.json").exists())
    machine.down()


def test_an_up_after_the_death_of_supervisor_and_guardian_takes_back_what_they_began(machine: Machine) -> None:
    _begun(machine)
    machine.kill_supervisor()
    done = machine.hftstack("up", machine.file)
    assert done.code == 5, done.said
    assert "s is back to what ran before" in done.err
    assert _deployed(machine) == "old"
    assert machine.units()["db"]["state"] == "up"
    assert not (machine.state / "before.json").exists()
    machine.down()


@pytest.mark.parametrize("text", ["", '{"format": 2', '{"format": 3}', "edited"])
def test_a_record_of_what_ran_before_that_is_damaged_is_named_and_not_acted_upon(machine: Machine, text: str) -> None:
    pid = _begun(machine)
    guardian = machine.guardian()
    os.kill(guardian, signal.SIGSTOP)
    os.kill(machine.supervisor(), signal.SIGKILL)
    record = machine.state / "before.json"
    kept = record.read_text(encoding="utf-8")
    record.write_text(kept.replace('"old"', '"elsewhere"') if text == "edited" else text, encoding="utf-8")
    os.kill(guardian, signal.SIGCONT)
    until(lambda: any(what == "record" and "before.json" in said for _, what, said in machine.journal()))
    (machine.folder / "new").touch()
    machine.until_units(lambda units: units["db"]["state"] == "up")
    assert machine.pids()["db"] == pid
    assert _deployed(machine) == "new"
    machine.down()
