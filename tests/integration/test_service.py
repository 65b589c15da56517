"""A stack as systemd runs it: its guardian is the main process, and the manager starts the next one."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from tests.children import until
from tests.integration.harness import lives, pair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.harness import Machine, Running


@pytest.fixture
def manager(machine: Machine) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(machine.folder / "notify"))
        listener.settimeout(60)
        yield listener


def _start(machine: Machine, manager: socket.socket) -> Running:
    """Start the service as its manager does, and return when it is told READY."""
    env = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "30000000"}
    running = machine.begin("up", "--foreground", "--no-build", machine.file, env=env)
    while b"READY=1" not in manager.recv(4096):
        assert lives(running.process.pid), running.told()
    return running


@pytest.mark.parametrize("frozen", [False, True])
def test_a_supervisor_dies_with_its_guardian_under_a_service_manager_and_the_next_start_takes_the_units_over(
    machine: Machine, manager: socket.socket, *, frozen: bool
) -> None:
    machine.write(pair())
    first = _start(machine, manager)
    before, guardian, supervisor = machine.pids(), machine.guardian(), machine.supervisor()
    assert guardian == first.process.pid
    if frozen:
        os.kill(supervisor, signal.SIGSTOP)
    os.kill(guardian, signal.SIGKILL)
    assert first.done().code == -signal.SIGKILL
    until(lambda: not lives(supervisor))
    assert all(pid is not None and lives(pid) for pid in before.values())
    second = _start(machine, manager)
    machine.until_units(lambda units: units["mm"]["level"] == "ready" and units["bf"]["level"] == "fresh")
    assert machine.pids() == before
    os.kill(second.process.pid, signal.SIGTERM)
    assert second.done().code == 0
    assert machine.left() == {}


def test_enable_shows_the_unit_file_and_installs_nothing(machine: Machine) -> None:
    machine.write(pair())
    done = machine.hftstack("enable", machine.file, "--print")
    assert done.code == 0, done.said
    assert f"up --foreground --no-build {machine.file}" in done.out
    assert f"Environment=HFTSTACK_HOME={machine.home}" in done.out
