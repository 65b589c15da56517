from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.children import until
from tests.integration.harness import lives

if TYPE_CHECKING:
    import subprocess

    from tests.integration.harness import Machine

_REPOSITORY = str(Path(__file__).parents[2])


def _stack(machine: Machine, *, startup: str = "20s", on_restart: str = "restart") -> None:
    machine.write(
        connectors={"by": {"type": "sim", "external": True, "health": {"startup": startup}}},
        bots={"mm": {"type": "sim", "depends_on": {"by": {"on_restart": on_restart}}, "stop": {"grace": "2s"}}},
    )


def _by_hand(machine: Machine) -> subprocess.Popen[bytes]:
    """Start the connector as an operator would, beside the stack."""
    return machine.other(
        sys.executable,
        "-m",
        "orchestrator.sim",
        "connector",
        "by",
        env={"PYTHONPATH": _REPOSITORY, "PATH": "/usr/bin:/bin"},
    )


def _end(process: subprocess.Popen[bytes], number: int = signal.SIGKILL) -> None:
    process.send_signal(number)
    process.wait(20)


def _fresh(pid: int) -> Any:  # noqa: ANN401 - a condition
    return lambda units: units["by"]["pid"] == pid and units["by"]["level"] == "fresh" and units["mm"]["state"] == "up"


def test_up_waits_for_one_that_is_started_by_hand_and_down_leaves_it_running(machine: Machine) -> None:
    _stack(machine)
    up = machine.begin("up", machine.file)
    waiting = machine.until_units(lambda units: units["by"]["state"] == "waiting")
    assert (waiting["by"]["pid"], waiting["by"]["external"], waiting["mm"]["waits_for"]) == (None, True, ["by"])
    by = _by_hand(machine)
    done = up.done()
    assert done.code == 0, done.said
    machine.until_units(_fresh(by.pid))
    shown = machine.hftstack("status")
    assert shown.code == 0
    line = next(line for line in shown.out.splitlines() if line.startswith("by"))
    assert str(by.pid) in line
    assert "external" in line
    down = machine.hftstack("down")
    assert down.code == 0, down.said
    assert [line.split()[0] for line in down.out.splitlines()[:-1]] == ["mm"]
    assert by.poll() is None
    assert machine.members() == {}
    assert "by" not in machine.happened("start")
    _end(by, signal.SIGTERM)


def test_one_that_runs_already_is_found_at_once(machine: Machine) -> None:
    _stack(machine)
    by = _by_hand(machine)
    machine.up()
    assert machine.pids()["by"] == by.pid
    assert machine.hftstack("up", machine.file).code == 0
    assert machine.units()["by"]["restarts"] == 0
    machine.hftstack("down")
    _end(by)


def test_one_that_nobody_starts_ends_up_with_what_to_do_and_is_still_waited_for(machine: Machine) -> None:
    _stack(machine, startup="500ms")
    up = machine.hftstack("up", machine.file)
    assert up.code == 5
    assert "start it yourself: python -m orchestrator.sim connector by" in up.err
    by = _by_hand(machine)
    machine.until_units(_fresh(by.pid))
    machine.hftstack("down")
    _end(by)


def test_its_end_stops_its_bot_and_another_one_brings_it_back(machine: Machine) -> None:
    _stack(machine)
    first = _by_hand(machine)
    machine.up()
    before = machine.until_units(_fresh(first.pid))
    _end(first)
    gone = machine.until_units(lambda units: units["by"]["pid"] is None and units["mm"]["pid"] is None)
    assert (gone["by"]["state"], gone["mm"]["state"]) == ("waiting", "waiting")
    assert machine.hftstack("status").code == 5
    second = _by_hand(machine)
    after = machine.until_units(_fresh(second.pid))
    assert after["mm"]["pid"] != before["mm"]["pid"]
    assert (after["by"]["restarts"], after["mm"]["restarts"]) == (1, 1)
    assert [bot["pid"] for bot in after["by"]["channel"]["bots"]] == [after["mm"]["pid"]]
    machine.hftstack("down")
    _end(second)


def test_a_change_of_its_process_reaches_the_bot(machine: Machine) -> None:
    _stack(machine)
    first = _by_hand(machine)
    machine.up()
    before = machine.until_units(_fresh(first.pid))
    _end(first)
    second = _by_hand(machine)
    after = machine.until_units(_fresh(second.pid))
    assert after["mm"]["pid"] != before["mm"]["pid"]
    until(lambda: machine.ticks("mm") > 0)
    machine.hftstack("down")
    _end(second)


def test_a_bot_that_shall_stop_with_it_stays_stopped(machine: Machine) -> None:
    _stack(machine, on_restart="stop")
    first = _by_hand(machine)
    machine.up()
    machine.until_units(_fresh(first.pid))
    _end(first)
    machine.until_units(lambda units: units["mm"]["state"] == "stopped")
    second = _by_hand(machine)
    machine.until_units(lambda units: units["by"]["state"] == "up")
    assert machine.pids() == {"by": second.pid, "mm": None}
    machine.hftstack("down")
    _end(second)


@pytest.mark.parametrize("recorded", [True, False])
def test_the_next_supervisor_takes_it_over_and_leaves_its_bot_alone(machine: Machine, *, recorded: bool) -> None:
    _stack(machine)
    by = _by_hand(machine)
    machine.up()
    before = machine.until_units(_fresh(by.pid))
    machine.kill_supervisor()
    if not recorded:
        (machine.runtime / "units.json").unlink()
    machine.up()
    after = machine.until_units(_fresh(by.pid))
    assert after["mm"]["pid"] == before["mm"]["pid"]
    assert (after["by"]["restarts"], after["mm"]["restarts"]) == (0, 0)
    machine.hftstack("down")
    assert by.poll() is None
    _end(by)


def test_the_next_supervisor_sees_that_it_was_replaced_while_nobody_looked(machine: Machine) -> None:
    _stack(machine)
    first = _by_hand(machine)
    machine.up()
    before = machine.until_units(_fresh(first.pid))
    machine.kill_supervisor()
    _end(first)
    second = _by_hand(machine)
    until(machine.shared_memory)
    machine.up()
    after = machine.until_units(_fresh(second.pid))
    assert after["mm"]["pid"] != before["mm"]["pid"]
    assert not lives(before["mm"]["pid"])
    machine.hftstack("down")
    _end(second)


def test_the_next_supervisor_counts_its_restarts_on(machine: Machine) -> None:
    machine.write(connectors={"by": {"type": "sim", "external": True, "health": {"startup": "20s"}}})
    first = _by_hand(machine)
    machine.up()
    _end(first)
    machine.until_units(lambda units: units["by"]["state"] == "waiting")
    second = _by_hand(machine)
    machine.until_units(lambda units: (units["by"]["pid"], units["by"]["restarts"]) == (second.pid, 1))
    machine.kill_supervisor()
    machine.up()
    assert machine.units()["by"]["restarts"] == 1
    machine.hftstack("down")
    _end(second)
