"""Logs of running units: rotated under their writers, over the deaths of who rotates them."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from tests.children import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.harness import Machine

_LINES = 60_000
_WRITER = f"n=0; while [ $n -lt {_LINES} ]; do echo line $n of many; n=$((n+1)); done; echo end; exec sleep 1000"


def _archives(machine: Machine) -> list[Path]:
    return list((machine.state / "logs/mm").glob("*.gz"))


def test_every_line_is_read_once_while_it_is_written_rotated_and_the_supervisor_is_killed(machine: Machine) -> None:
    machine.write(bots={"mm": {"command": [machine.script("writer", _WRITER)], "logs": {"max_size": "64KiB"}}})
    machine.up()
    before = machine.pids()
    following = machine.begin("logs", "-f", "--tail", str(10 * _LINES), "mm")
    for count in range(1, 5):
        until(lambda count=count: len(_archives(machine)) > count or "end" in following.told())  # type: ignore[misc]
        killed = machine.supervisor()
        os.kill(killed, signal.SIGKILL)
        until(lambda killed=killed: machine.supervisor() != killed and machine.units())  # type: ignore[misc]
    until(lambda: following.told().endswith("end\n"))
    wanted = [*(f"line {number} of many" for number in range(_LINES)), "end"]
    assert following.told().splitlines() == wanted
    assert machine.hftstack("logs", "mm").said.splitlines() == wanted
    assert machine.hftstack("logs", "-n", "3", "mm").out.splitlines() == wanted[-3:]
    assert _archives(machine)
    assert machine.pids() == before
    os.kill(following.process.pid, signal.SIGINT)
    assert following.done().code == 130
    machine.down()


def test_how_logs_are_kept_is_taken_up_by_a_running_unit(machine: Machine) -> None:
    bot = {"command": [machine.script("writer", _WRITER)]}
    machine.write(bots={"mm": bot})
    machine.up()
    until(lambda: machine.log("mm").endswith("end\n"))
    before = machine.pids()
    machine.write(bots={"mm": {**bot, "logs": {"max_size": "64KiB", "keep": "128KiB"}}})
    done = machine.up()
    assert "changed in place mm (logs)" in done.out
    until(lambda: _archives(machine))
    assert machine.pids() == before
    machine.down()


def test_what_the_supervisor_itself_writes_is_bounded_as_a_units_output_is(machine: Machine) -> None:
    machine.write(bots={"mm": {"command": ["sleep", "1000"]}})
    machine.up()
    log = machine.state / "logs/.supervisor/00000001.log"
    with log.open("ab") as file:
        file.write(b"trouble, and more of it\n" * (1 << 20))
    until(lambda: list(log.parent.glob("*.gz")))
    until(lambda: log.stat().st_blocks * 512 < 10 << 20)
    assert machine.hftstack("logs").said == ""
    machine.down()
