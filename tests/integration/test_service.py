"""A stack as systemd runs it: its guardian is the main process, and the manager starts the next one."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.deployment.homes import locate
from orchestrator.engine import handover
from orchestrator.engine.service import Service
from orchestrator.errors import HftstackError
from tests.children import until
from tests.integration.harness import HFTSTACK, lives, pair

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
    running = machine.begin("up", "--foreground", "--take-over", "--no-build", machine.file, env=env)
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
    machine.file.write_text("half of an edit: [", encoding="utf-8")  # it is for the next `up`, not for who takes over
    second = _start(machine, manager)
    machine.until_units(lambda units: units["mm"]["level"] == "ready" and units["bf"]["level"] == "fresh")
    assert machine.pids() == before
    os.kill(second.process.pid, signal.SIGTERM)
    assert second.done().code == 0
    assert machine.left() == {}


def test_a_start_that_finds_a_rendered_config_gone_renders_it_again(machine: Machine, manager: socket.socket) -> None:
    machine.write(pair({"rate": 50}))
    first = _start(machine, manager)
    before = machine.pids()
    os.kill(machine.guardian(), signal.SIGKILL)
    assert first.done().code == -signal.SIGKILL
    (config,) = (machine.runtime / "configs").glob("bf-*")
    config.unlink()
    second = _start(machine, manager)
    assert config.exists()
    assert machine.pids() == before
    os.kill(second.process.pid, signal.SIGTERM)
    assert second.done().code == 0


def _reboot(machine: Machine) -> None:
    """Leave what a boot leaves: records, no process, an empty runtime directory."""
    machine.kill_supervisor()
    for pid in machine.processes():
        os.kill(pid, signal.SIGKILL)
    until(lambda: not machine.processes())
    shutil.rmtree(machine.runtime)


@pytest.mark.parametrize("ended", ["SIGTERM", "halt", "power cut"])
def test_a_boot_leaves_down_what_was_stopped_by_name_what_had_failed_and_what_had_finished(
    machine: Machine, manager: socket.socket, ended: str
) -> None:
    rest = {"command": ["sleep", "1000"]}
    fails = {"command": [machine.script("fails", "exit 3")], "restart": {"policy": "never"}}
    ends = {"command": ["true"]}
    machine.write(services={"rest": rest, "off": rest, "fails": fails}, bots={"ends": ends})
    first = machine.begin("up", "--foreground", "--take-over", "--no-build", machine.file)
    as_left = {"rest": "up", "off": "stopped", "fails": "failed", "ends": "finished"}

    def are_as_left(units: dict[str, dict[str, Any]]) -> bool:
        return {name: unit["state"] for name, unit in units.items()} == as_left

    machine.until_units(lambda units: units["fails"]["state"] == "failed" and units["ends"]["state"] == "finished")
    assert machine.hftstack("stop", "-s", "s", "off").code == 0
    machine.until_units(are_as_left)
    if ended == "SIGTERM":
        first.process.send_signal(signal.SIGTERM)
    elif ended == "halt":
        assert machine.hftstack("halt", "--reason", "test").code == 0
        assert machine.hftstack("resume", "--reason", "test").code == 0
    else:
        _reboot(machine)
    assert first.done().code == (-signal.SIGKILL if ended == "power cut" else 0)

    second = _start(machine, manager)

    units = machine.until_units(are_as_left)
    assert (units["fails"]["why"], units["off"]["restarts"]) == ("exit 3", 0)
    assert "off stays down, as it was left.  hftstack start off" in second.told()
    machine.down()
    assert second.done().code == 0
    machine.up("off")
    assert machine.units()["off"]["state"] == "up"
    assert machine.units()["rest"]["state"] == "stopped"
    machine.down()


def test_a_boot_starts_a_stack_in_which_nothing_else_would_run(machine: Machine, manager: socket.socket) -> None:
    machine.write(services={"rest": {"command": ["sleep", "1000"]}})
    machine.up()
    assert machine.hftstack("stop", "-s", "s", "rest").code == 0
    machine.down()
    second = _start(machine, manager)
    assert machine.units()["rest"]["state"] == "up"
    machine.down()
    assert second.done().code == 0


def test_enable_shows_the_unit_file_and_installs_nothing(machine: Machine) -> None:
    machine.write(pair())
    done = machine.hftstack("enable", machine.file, "--print")
    assert done.code == 0, done.said
    assert f"up --foreground --take-over --no-build {machine.file}" in done.out
    assert f"Environment=HFTSTACK_HOME={machine.home}" in done.out


def test_take_over_is_for_a_supervisor_in_the_foreground(machine: Machine) -> None:
    machine.write(pair())
    done = machine.hftstack("up", "--take-over", machine.file)
    assert done.code == 2, done.said
    assert "--foreground" in done.err


_SYSTEMCTL = """\
[ "$1" = --user ] && shift
case $1 in
    start) {start} >/dev/null 2>&1 & echo $! >{folder}/main ;;
    show) kill -0 "$(cat {folder}/main)" 2>/dev/null && cat {folder}/main || echo 0 ;;
esac
"""
"""What of systemctl(1) a hand-over needs; its service has a guardian of ours, as systemd's would have."""


class Manager:
    """A service manager of the test's own: two programs on the PATH."""

    def __init__(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.machine = machine
        self.service = Service("s", is_system=True, folder=machine.folder)
        bin_ = machine.folder / "bin"
        bin_.mkdir()
        words = ["setsid", *HFTSTACK, "up", "--foreground", "--take-over", "--no-build", str(machine.file)]
        machine.script("bin/systemctl", _SYSTEMCTL.format(start=shlex.join(words), folder=machine.folder))
        machine.script("bin/busctl", f'echo "$@" >{machine.folder}/moved')
        monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
        for key, value in machine.environ().items():
            monkeypatch.setenv(key, value)
        self.home = locate(os.environ).stack("s")

    def hand_over(self) -> None:
        handover.hand_over(self.service, self.home, os.environ)

    def moved(self) -> set[str]:
        """Return the pids that were to be moved into the service's control group."""
        return set((self.machine.folder / "moved").read_text(encoding="utf-8").split()[9:])


@pytest.fixture
def systemd(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Manager:
    return Manager(machine, monkeypatch)


def test_a_stack_that_runs_becomes_systemds_and_its_own_again_and_no_unit_is_touched(
    machine: Machine, systemd: Manager
) -> None:
    machine.write(pair())
    machine.up()
    before, guardian = machine.pids(), machine.guardian()
    assert not handover.is_managed(systemd.service, systemd.home)
    machine.write(pair({"rate": 1}))  # for the next `up`
    systemd.hand_over()
    assert handover.is_managed(systemd.service, systemd.home)
    assert not lives(guardian)
    machine.until_units(lambda units: units["mm"]["level"] == "ready" and units["bf"]["level"] == "fresh")
    assert machine.pids() == before
    assert systemd.moved() == {str(pid) for pid in before.values()}
    handover.take_back(systemd.home, os.environ)
    assert not handover.is_managed(systemd.service, systemd.home)
    machine.until_units(lambda units: units["mm"]["level"] == "ready" and units["bf"]["level"] == "fresh")
    assert machine.pids() == before
    assert machine.happened("handed-over") == [None, None]
    machine.down()


def test_a_stack_that_systemd_does_not_take_over_is_supervised_as_before(machine: Machine, systemd: Manager) -> None:
    machine.write(pair())
    machine.up()
    before = machine.pids()
    machine.script("bin/systemctl", 'case $1 in start) echo "Job for s failed." >&2; exit 1 ;; show) echo 0 ;; esac')
    with pytest.raises(HftstackError) as failed:
        systemd.hand_over()
    assert "no unit was touched" in failed.value.message
    assert failed.value.detail == "Job for s failed."
    machine.until_units(lambda units: units["mm"]["level"] == "ready" and units["bf"]["level"] == "fresh")
    assert machine.pids() == before
    machine.down()


def test_a_stack_that_runs_from_another_file_is_not_enabled(machine: Machine, systemd: Manager) -> None:
    machine.write(pair())
    machine.up()
    other = machine.folder / "other.yaml"
    machine.write(pair(), file=other)
    done = machine.hftstack("enable", other, env={"PATH": os.environ["PATH"]})
    assert done.code == 7, done.said
    assert f"running from {machine.file}" in done.err
    assert not handover.is_managed(systemd.service, systemd.home)
    machine.down()
