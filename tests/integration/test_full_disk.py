from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.integration.harness import pair

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.harness import Machine


def _fill(folder: Path) -> None:
    with suppress(OSError), (folder / "ballast").open("wb", buffering=0) as file:
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
