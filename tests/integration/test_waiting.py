"""wait, over everything that can happen meanwhile."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.children import until
from tests.cli.terminal import Terminal
from tests.integration.harness import HFTSTACK, pair

if TYPE_CHECKING:
    from tests.integration.harness import Machine, Running

_GATED: dict[str, Any] = {
    "command": ["sleep", "1000"],
    "ready": {"exec": ["test", "-e", "go"]},
    "health": {"startup": "60s"},
}


def _gated(machine: Machine) -> Path:
    """Bring up a service that is ready once a file exists, and start it anew without the file."""
    go = machine.folder / "go"
    machine.write(services={"slow": _GATED, "other": {"command": ["sleep", "1000"]}})
    go.touch()
    machine.up()
    go.unlink()
    assert machine.hftstack("restart", "slow", "--timeout", "0.01").code == 5
    return go


def _is_connected(client: Running) -> bool:
    """Tell whether a command has a connection to the supervisor, seen from outside."""
    for descriptor in Path(f"/proc/{client.process.pid}/fd").iterdir():
        with suppress(OSError):
            if str(descriptor.readlink()).startswith("socket:"):
                return True
    return False


def test_what_is_there_is_not_waited_for(machine: Machine) -> None:
    machine.write(pair())
    machine.up()
    done = machine.hftstack("wait")
    assert (done.code, done.out, done.err) == (0, "ready: bf, mm\n", "")
    assert machine.hftstack("wait", "--for", "fresh", "--timeout", "30s").out == "fresh: bf\n"
    assert machine.hftstack("wait", "bf", "--for", "live", "--timeout", "0").code == 0
    machine.down()


def test_it_returns_when_the_unit_gets_there(machine: Machine) -> None:
    go = _gated(machine)
    wait = machine.begin("wait", "slow")
    until(lambda: _is_connected(wait))
    assert wait.process.poll() is None
    go.touch()
    assert wait.done().code == 0
    machine.down()


def test_when_the_time_has_run_out_it_says_what_is_missing(machine: Machine) -> None:
    _gated(machine)
    done = machine.hftstack("wait", "--timeout", "100ms")
    assert (done.code, done.out) == (5, "")
    assert done.err.splitlines()[0].split()[:3] == ["slow", "starting", "started"]
    assert "slow not there within 0.1 s" in done.err
    machine.down("--now")


def test_what_failed_for_good_is_not_waited_for_nor_what_hangs_below_it(machine: Machine) -> None:
    broken = machine.script("broken.sh", "exit 3")
    machine.write(
        services={"base": {"command": [broken], "ready": {"log": "x"}, "restart": {"policy": "never"}}},
        connectors={"bf": {"type": "sim", "depends_on": ["base"]}, "by": {"type": "sim"}},
    )
    assert machine.hftstack("up", machine.file).code == 5
    done = machine.hftstack("wait", "bf")
    assert done.code == 5
    assert "waits for base" in done.err
    assert machine.hftstack("wait", "by", "--for", "live").code == 0
    machine.hftstack("stop", "by")
    assert "by will not get there" in machine.hftstack("wait", "by", "--for", "live").err
    machine.down()


def test_ctrl_c_ends_it_and_nothing_else(machine: Machine) -> None:
    _gated(machine)
    before = machine.pids()
    wait = machine.begin("wait", "slow")
    until(lambda: _is_connected(wait))
    wait.process.send_signal(signal.SIGINT)
    done = wait.done()
    assert done.code == 130
    assert "Traceback" not in done.said
    assert machine.pids() == before
    machine.down("--now")


def test_it_goes_on_with_the_next_supervisor(machine: Machine) -> None:
    go = _gated(machine)
    wait = machine.begin("wait", "slow")
    until(lambda: _is_connected(wait))
    supervisor = machine.supervisor()
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: machine.supervisor() != supervisor)
    assert wait.process.poll() is None
    go.touch()
    assert wait.done().code == 0
    machine.down()


def test_it_goes_on_when_an_operator_brings_a_supervisor_back(machine: Machine) -> None:
    machine.write(pair())
    machine.up()
    wait = machine.begin("wait", "--for", "stopped")
    until(lambda: _is_connected(wait))
    machine.kill_supervisor()
    until(lambda: "the supervisor of s went away" in wait.told())
    machine.up()
    until(lambda: _is_connected(wait))
    machine.down()
    assert wait.done().code == 0


@pytest.mark.parametrize(("rung", "code"), [("fresh", 5), ("stopped", 0)])
def test_a_down_meanwhile_ends_it(machine: Machine, rung: str, code: int) -> None:
    machine.write(connectors={"bf": {"type": "sim"}})
    machine.up()
    wait = machine.begin("wait", "bf", "--for", rung)
    until(lambda: _is_connected(wait))
    machine.down()
    done = wait.done()
    assert done.code == code, done.said
    assert "Traceback" not in done.said


def test_without_a_supervisor_that_could_come_back_it_ends_in_time(machine: Machine) -> None:
    _gated(machine)
    wait = machine.begin("wait", "slow", "--timeout", "3s")
    until(lambda: _is_connected(wait))
    machine.kill_supervisor()
    done = wait.done()
    assert done.code == 5
    assert "s runs without a supervisor" in done.err
    machine.hftstack("down", "--now")


def test_a_level_that_only_connectors_have_is_no_level_of_a_bot(machine: Machine) -> None:
    machine.write(pair())
    machine.up()
    done = machine.hftstack("wait", "mm", "--for", "fresh")
    assert done.code == 2
    assert "mm is a bot: only connectors become fresh" in done.err
    machine.down()


def test_what_is_missing_fits_a_narrow_terminal_and_is_drawn_over(machine: Machine) -> None:
    _gated(machine)
    terminal = Terminal([*HFTSTACK, "wait"], cwd=machine.folder, env=machine.environ(TERM="xterm-256color"), columns=40)
    until(lambda: terminal.shows("slow starting → ready"))
    terminal.interrupt()
    assert terminal.end() == 130
    drawn = [text for line in terminal.raw.splitlines() for text in line.split("\r\x1b[K")]
    assert max(map(len, drawn)) <= 40
    machine.down("--now")
