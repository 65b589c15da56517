from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from tests.children import until
from tests.integration.harness import pair

if TYPE_CHECKING:
    from tests.integration.harness import Machine


def _kill(pid: int | None) -> None:
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def test_a_killed_connector_comes_back_and_its_bot_has_fresh_data_again(machine: Machine) -> None:
    machine.write(**pair())
    machine.up()
    before = machine.until_units(lambda units: units["bf"]["level"] == "fresh")
    _kill(before["bf"]["pid"])
    after = machine.until_units(
        lambda units: (
            units["bf"]["level"] == "fresh"
            and units["bf"]["pid"] != before["bf"]["pid"]
            and units["mm"]["state"] == "up"
            and units["mm"]["pid"] != before["mm"]["pid"]
        )
    )
    assert (after["bf"]["restarts"], after["mm"]["restarts"]) == (1, 1)
    assert [bot["pid"] for bot in after["bf"]["channel"]["bots"]] == [after["mm"]["pid"]]
    until(lambda: machine.ticks("mm") > 0)
    assert {unit: len(pids) for unit, pids in machine.members().items()} == {"bf": 1, "mm": 1}
    machine.down()


def test_a_killed_bot_is_shown_as_failed_and_is_started_by_the_next_up(machine: Machine) -> None:
    machine.write(**pair())
    machine.up()
    before = machine.pids()
    _kill(before["mm"])
    failed = machine.until_units(lambda units: units["mm"]["state"] == "failed")
    assert failed["mm"]["exit"] == -9
    assert failed["bf"]["pid"] == before["bf"]
    shown = machine.hftstack("status")
    assert shown.code == 5
    assert "SIGKILL" in shown.out
    machine.up()
    assert machine.pids()["bf"] == before["bf"]
    machine.down()


def test_a_bot_that_has_finished_stays_finished_until_up(machine: Machine) -> None:
    machine.write(**pair(config={"faults": {"die_after": 0.5, "exit_code": 0}}))
    machine.up()
    machine.until_units(lambda units: units["mm"]["state"] == "finished")
    assert machine.hftstack("status").code == 0
    machine.kill_supervisor()
    # what the next supervisor does of its own accord
    machine.supervise()
    machine.until_units(lambda units: units["bf"]["state"] == "up")
    assert machine.units()["mm"]["state"] == "finished"
    assert machine.happened("start").count("mm") == 1
    machine.up()
    assert machine.happened("start").count("mm") == 2
    machine.down()


def test_a_connector_without_its_publisher_is_restarted_bots_first(machine: Machine) -> None:
    machine.write(**pair({"faults": {"drop_publisher_after": 1.5}}))
    machine.up()
    first = machine.pids()
    machine.until_units(lambda units: units["bf"]["restarts"] >= 1)
    assert machine.happened("exit")[:2] == ["mm", "bf"]
    assert any(unit == "bf" and what == "broken" and "released" in text for unit, what, text in machine.journal())
    machine.until_units(lambda units: units["mm"]["state"] == "up" and units["mm"]["pid"] != first["mm"])
    machine.down()


def test_starts_that_die_while_the_channel_is_cleaned_up_are_retries_and_no_restarts(machine: Machine) -> None:
    faults = {"die_before_live": 2, "state": str(machine.folder / "starts")}
    machine.write(connectors={"bf": {"type": "sim", "config": {"faults": faults}}})
    assert "2 retries" in machine.up().out
    assert machine.units()["bf"]["restarts"] == 0
    assert machine.happened("retry") == ["bf", "bf"]
    machine.down()


def test_a_bot_below_a_connector_past_its_limit_is_stopped(machine: Machine) -> None:
    sections = pair({"faults": {"die_after": 0.7}})
    sections["connectors"]["bf"]["restart"] = {"limit": {"restarts": 0}}
    machine.write(**sections)
    machine.up()
    units = machine.until_units(lambda units: units["bf"]["state"] == "failed" and units["mm"]["pid"] is None)
    assert units["mm"]["state"] in {"stopped", "waiting"}
    assert "limit" in units["bf"]["why"]
    machine.down()
