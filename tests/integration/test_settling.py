"""What `up` says of units when one fails, one is late, or its time runs out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.integration.harness import pair

if TYPE_CHECKING:
    from tests.integration.harness import Machine

_GATED: dict[str, Any] = {"command": ["sleep", "1000"], "ready": {"exec": ["test", "-e", "go"]}}


def test_one_that_failed_is_named_alone_when_the_others_get_there_later(machine: Machine) -> None:
    go = machine.folder / "go"
    machine.write(
        services={
            "slow": {**_GATED, "health": {"startup": "60s"}},
            "broken": {"command": ["false"], "restart": {"policy": "never"}},
            "below": {"command": ["sleep", "1000"], "depends_on": ["broken"]},
        }
    )
    up = machine.begin("up", machine.file)
    machine.until_units(lambda units: units["broken"]["state"] == "failed" and units["slow"]["state"] == "starting")
    assert up.process.poll() is None
    go.touch()
    done = up.done()
    assert done.code == 5, done.said
    assert "broken: ready not reached" in done.err
    assert "still waiting: below" in done.err
    assert "slow: " not in done.err
    assert machine.units()["slow"]["state"] == "up"
    machine.down("--now")


def test_what_is_on_its_way_when_the_timeout_ends_the_wait_is_not_blamed(machine: Machine) -> None:
    machine.write(services={"slow": {**_GATED, "health": {"startup": "60s"}}})
    done = machine.hftstack("up", machine.file, "--timeout", "300ms")
    assert done.code == 5
    assert "slow: ready not reached within --timeout 0.30 s: starting, still on its way" in done.err
    assert "try  " not in done.err
    machine.down("--now")


def test_a_corrected_bot_that_was_overdue_is_waited_for_anew(machine: Machine) -> None:
    wrong = {"bots": {"mm": {"command": ["sleep", "1000"], "depends_on": ["bf"], "health": {"startup": "300ms"}}}}
    machine.write({**pair(), **wrong})
    done = machine.hftstack("up", machine.file)
    assert (done.code, "mm: ready not reached" in done.err) == (5, True), done.said
    machine.write(pair())
    machine.up()
    assert machine.units()["mm"]["reached"]
    machine.down()


def test_status_tells_when_the_next_start_is_and_what_is_not_restarted(machine: Machine) -> None:
    backoff = {"initial": "50s", "max": "50s", "jitter": 0}
    machine.write(
        services={"bad": {"command": ["false"], "restart": {"backoff": backoff}}},
        bots={"mm": {"command": ["false"]}},
    )
    assert machine.hftstack("up", machine.file, "--timeout", "5s").code == 5
    machine.until_units(lambda units: units["bad"]["state"] == "backoff" and units["mm"]["state"] == "failed")
    shown = machine.hftstack("status").out
    assert "exit 1; next start in " in shown
    assert "exit 1, not restarted, its policy is never: hftstack start mm" in shown
    machine.down("--now")
