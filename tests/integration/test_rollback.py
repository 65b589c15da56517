"""A change that does not work out is taken back, where the stack file says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
