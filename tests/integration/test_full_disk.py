from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.children import until
from tests.integration.harness import pair

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.harness import Machine


def _fill(folder: Path) -> None:
    with suppress(OSError), (folder / "ballast").open("ab", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


@pytest.fixture
def small(machine: Machine) -> Iterator[Path]:
    """The machine's hftstack home on a file system of two megabytes."""
    if os.geteuid() != 0:
        pytest.skip("needs root: a file system of its own is mounted")
    machine.home.mkdir()
    mounted = subprocess.run(
        ["/bin/mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", machine.home],
        check=False,
        capture_output=True,
    )
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a file system")
    yield machine.home
    machine.end_processes()
    subprocess.run(["/bin/umount", "--lazy", machine.home], check=True)


def test_a_full_disk_stops_no_unit_and_down_still_works(machine: Machine, small: Path) -> None:
    machine.write(pair())
    machine.up()
    before = machine.until_units(lambda units: units["bf"]["level"] == "fresh")
    _fill(small)
    os.kill(before["mm"]["pid"], 9)
    after = machine.until_units(lambda units: units["mm"]["state"] == "failed")
    assert after["bf"]["pid"] == before["bf"]["pid"]
    log = max((machine.state / "logs/mm").glob("*.log"))
    until(lambda: log.stat().st_blocks * 512 < 1 << 16)  # what was set aside for it is given back
    _fill(small)
    done = machine.hftstack("up", machine.file)
    assert done.code in {1, 7}, done.said
    assert "No space left" in done.err
    assert "Traceback" not in done.err
    assert machine.pids()["bf"] == before["bf"]["pid"]
    machine.down()


def test_a_dead_supervisors_stack_can_be_stopped_on_a_full_disk(machine: Machine, small: Path) -> None:
    machine.write(pair())
    machine.up()
    machine.kill_supervisor()
    _fill(small)
    done = machine.hftstack("down", "s")
    assert done.code in {0, 5}, done.said
    assert machine.left() == {}


def test_a_unit_that_is_killed_on_a_full_disk_starts_with_a_log(machine: Machine, small: Path) -> None:
    bot = {"type": "sim", "depends_on": ["bf"], "restart": {"policy": "on-failure"}}
    machine.write({**pair(), "bots": {"mm": bot}})
    machine.up()
    before = machine.until_units(lambda units: units["bf"]["level"] == "fresh")["mm"]
    _fill(small)
    os.kill(before["pid"], 9)
    after = machine.until_units(lambda units: units["mm"]["level"] == "ready" and units["mm"]["restarts"])["mm"]
    assert after["log"] not in {None, before["log"]}
    until(lambda: machine.ticks("mm"))
    machine.down()


def test_a_unit_whose_output_goes_nowhere_is_told_and_a_restart_gives_it_a_log(machine: Machine, small: Path) -> None:
    machine.write(services={"s1": {"command": ["sh", "-c", "echo here; exec sleep 1000"]}})
    machine.up()
    supervisor = machine.supervisor()
    os.kill(supervisor, signal.SIGSTOP)
    try:
        shutil.rmtree(machine.state / "logs/s1")
        os.kill(machine.members()["s1"][0], 9)
        until(lambda: "s1" not in machine.members())
        _fill(small)
    finally:
        os.kill(supervisor, signal.SIGCONT)
    unit = machine.until_units(lambda units: units["s1"]["level"] == "ready" and units["s1"]["restarts"])["s1"]
    assert unit["log"] is None
    assert "s1: its output goes nowhere" in machine.hftstack("status").out
    (small / "ballast").unlink()
    assert machine.hftstack("restart", "s1").code == 0
    assert "goes nowhere" not in machine.hftstack("status").out
    assert machine.hftstack("logs", "s1").out == "here\n"
    machine.down()


_LINES = 20_000
_CHATTY = f"""\
n=0
while [ $n -lt {_LINES} ]; do
    echo line $n of many
    n=$((n+1))
    [ $((n % 100)) != 0 ] || sleep 0.01
done
echo end
exec sleep 1000
"""


def test_what_a_chatty_unit_writes_on_a_full_disk_replaces_what_it_wrote_and_is_told(
    machine: Machine, small: Path
) -> None:
    machine.write(bots={"mm": {"command": [machine.script("chatty", _CHATTY)]}})
    machine.up()
    _fill(small)
    until(lambda: machine.log("mm").endswith("end\n"))
    unit = machine.until_units(lambda units: units["mm"]["log_lost"])["mm"]
    assert (unit["state"], unit["restarts"]) == ("up", 0)
    logs = machine.hftstack("logs", "mm")
    lines = logs.out.splitlines()
    assert lines == [*(f"line {number} of many" for number in range(_LINES + 1 - len(lines), _LINES)), "end"]
    lost = sum(len(f"line {number} of many\n") for number in range(_LINES + 1 - len(lines)))
    assert f"mm: {lost} bytes of its output were given up" in logs.err
    assert f"mm: {lost} bytes of its output were given up" in machine.hftstack("status").out
    machine.down()
    assert f"mm: {lost} bytes" in machine.hftstack("logs", "mm").err


_SMALL = 'mount -t tmpfs -o size=16m tmpfs /dev/shm && dd if=/dev/zero of=/dev/shm/ballast bs=4k; exec "$@"'


def test_a_full_shared_memory_is_named_as_the_cause_and_the_stack_comes_up_when_it_has_room(machine: Machine) -> None:
    private = ("unshare", "--mount", "sh", "-c")
    if subprocess.run([*private, "mount -t tmpfs tmpfs /dev/shm"], check=False, capture_output=True).returncode != 0:
        pytest.skip("needs the right to mount a file system")
    stack = pair()
    stack["connectors"]["bf"]["health"] = {"startup": "2s"}
    machine.write(stack)
    done = machine.begin("up", machine.file, prefix=(*private, _SMALL, "sh")).done()
    assert done.code == 5
    assert "    why    /dev/shm is full\n" in done.err
    assert "    try    /dev/shm has 0.0 MB free" in done.err
    assert "startup" not in done.err
    assert {what for unit, what, _ in machine.journal() if unit == "bf"} <= {"wanted", "restart", "backoff"}
    inside = ["nsenter", "--mount", "--target", str(machine.supervisor())]
    subprocess.run([*inside, "rm", "/dev/shm/ballast"], check=True)
    machine.until_units(lambda units: units["mm"]["level"] == "ready")
    machine.down()
