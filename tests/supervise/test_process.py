from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.deployment.model import Resources
from orchestrator.supervise import process as processes
from orchestrator.supervise.process import Command, Process, SpawnError
from tests.children import until

if TYPE_CHECKING:
    from collections.abc import Iterator

_SELF = f"{os.geteuid()}/test{os.getpid()}"


class _Spawner:
    """Starts units and ends them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[int] = []

    def spawn(
        self, *argv: str, unit: str = "u", env: dict[str, str] | None = None, slack: int | None = None
    ) -> processes.Gated:
        command = Command(
            argv=argv,
            cwd=str(self.folder),
            env={"PATH": "/usr/bin:/bin", **(env or {})},
            marker=f"{_SELF}/{unit}/token",
            log=str(self.folder / "log"),
            timer_slack=slack,
        )
        gated = processes.spawn(command)
        self._started.append(gated.process.id.pid)
        return gated

    def run(self, *argv: str) -> int | None:
        gated = self.spawn(*argv)
        gated.open()
        until(lambda: processes.identity(gated.process.id.pid) is None)
        reaped, code = gated.process.reap()
        assert reaped
        return code

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def close(self) -> None:
        for pid in self._started:
            with suppress(ChildProcessError):
                os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)  # still our child, so the pid is its own
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


@pytest.fixture
def spawner(tmp_path: Path) -> Iterator[_Spawner]:
    """Starts units in a folder."""
    started = _Spawner(tmp_path)
    yield started
    started.close()


def test_nothing_of_the_program_runs_before_the_gate_opens(spawner: _Spawner) -> None:
    gated = spawner.spawn("/bin/sh", "-c", "echo ran > ran; exec sleep 1000")
    pid = gated.process.id.pid
    until(lambda: Path(f"/proc/{pid}/comm").read_text().strip() == "sh")
    assert not (spawner.folder / "ran").exists()
    gated.open()
    until((spawner.folder / "ran").exists)
    until(lambda: Path(f"/proc/{pid}/comm").read_text().strip() == "sleep")
    assert processes.identity(pid) == gated.process.id


def test_an_abandoned_child_leaves_without_having_begun(spawner: _Spawner) -> None:
    gated = spawner.spawn("/bin/sh", "-c", "echo ran > ran")
    gated.abandon()
    until(lambda: processes.identity(gated.process.id.pid) is None)
    assert not (spawner.folder / "ran").exists()


_DYING = """
import os, sys
from orchestrator.supervise.process import Command, spawn
for unit in "ab":
    gated = spawn(Command(("/bin/sh", "-c", "echo ran >> ran"), sys.argv[1], {}, f"0/x/{unit}/t", sys.argv[1] + "/log"))
    print(gated.process.id.pid, flush=True)
os.kill(os.getpid(), 9)
"""


def test_children_behind_their_gate_leave_when_whoever_started_them_is_killed(tmp_path: Path) -> None:
    died = subprocess.run([sys.executable, "-c", _DYING, str(tmp_path)], check=False, capture_output=True, text=True)
    assert died.returncode == -signal.SIGKILL
    pids = [int(line) for line in died.stdout.split()]
    assert len(pids) == 2
    until(lambda: all(processes.identity(pid) is None for pid in pids))
    assert not (tmp_path / "ran").exists()


def test_a_unit_has_its_environment_its_marker_and_nothing_else(spawner: _Spawner) -> None:
    gated = spawner.spawn("/usr/bin/env", env={"A": "1 '2' $3\n4", "PWD": "/elsewhere"})
    gated.open()
    until(lambda: processes.identity(gated.process.id.pid) is None)
    said = spawner.log()
    assert "A=1 '2' $3\n4\n" in said
    assert f"HFTSTACK_UNIT={_SELF}/u/token/{gated.process.id.pid}\n" in said
    assert gated.process.marker == f"{_SELF}/u/token/{gated.process.id.pid}"
    assert {line.partition("=")[0] for line in said.splitlines() if "=" in line} == {
        "A",
        "PATH",
        "PWD",
        "HFTSTACK_UNIT",
    }


def test_arguments_reach_the_program_as_they_are(spawner: _Spawner) -> None:
    strange = ["", "a b", "*", "$HOME", "`id`", '"', "-n", "ä\n"]
    code = "import sys; print(sys.argv[1:])"
    assert spawner.run(sys.executable, "-c", code, *strange) == 0
    assert spawner.log() == f"{strange}\n"


_DISPOSITIONS = """
import os, signal
ignored = [s for s in signal.valid_signals() if s not in (9, 19) and signal.getsignal(s) is signal.SIG_IGN]
mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
print(sorted(ignored), mask, os.getsid(0) == os.getpid(), os.readlink("/proc/self/fd/0"))
print(sorted(os.listdir("/proc/self/fd")))
"""


def test_a_unit_has_default_signals_a_session_of_its_own_and_no_descriptor_of_ours(spawner: _Spawner) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        assert spawner.run(sys.executable, "-c", _DISPOSITIONS) == 0
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGHUP, before)
    first, second = spawner.log().splitlines()
    # the interpreter itself ignores SIGPIPE and SIGXFSZ
    assert first == f"[{signal.SIGPIPE!r}, {signal.SIGXFSZ!r}] set() True /dev/null"
    assert second == "['0', '1', '2', '3']"


def test_exit_codes_and_signals_are_told_apart(spawner: _Spawner) -> None:
    assert spawner.run("/bin/sh", "-c", "exit 9") == 9
    assert spawner.run("/bin/sh", "-c", "kill -9 $$") == -9
    assert spawner.run("/no/such/program") in {126, 127}
    assert "/no/such/program" in spawner.log()


def test_a_folder_that_is_gone_is_an_exit_with_words(spawner: _Spawner) -> None:
    spawner.folder.joinpath("log").touch()
    gated = processes.spawn(Command(("/bin/true",), "/no/such/folder", {}, "m", str(spawner.folder / "log")))
    gated.open()
    until(lambda: processes.identity(gated.process.id.pid) is None)
    assert gated.process.reap() == (True, 126)
    gated.process.close()
    assert "/no/such/folder" in spawner.log()


def test_a_log_that_cannot_be_written_keeps_no_unit_from_running(tmp_path: Path) -> None:
    command = Command(("/bin/sh", "-c", "echo said; touch ran"), str(tmp_path), {"PATH": "/bin"}, "m", "/no/folder/log")
    gated = processes.spawn(command)
    gated.open()
    until((tmp_path / "ran").exists)
    until(lambda: processes.identity(gated.process.id.pid) is None)
    assert gated.process.reap() == (True, 0)
    gated.process.close()


_SHOWN = """
import os, resource
print(os.nice(0), sorted(os.sched_getaffinity(0)), resource.getrlimit(resource.RLIMIT_NOFILE),
      open("/proc/self/oom_score_adj").read().strip(), os.sched_getscheduler(0) == os.SCHED_BATCH,
      open("/proc/self/timerslack_ns").read().strip())
"""


def test_resources_are_in_force_when_the_program_begins(spawner: _Spawner) -> None:
    core = min(os.sched_getaffinity(0))
    gated = spawner.spawn(sys.executable, "-c", _SHOWN, slack=123_000)
    wanted = Resources(
        cpus=(core,), nice=7, scheduler=("batch", 0), oom_score_adj=500, limits=(("nofile", 77), ("core", 0))
    )
    processes.apply_resources(gated.process.id.pid, wanted)
    gated.open()
    until(lambda: processes.identity(gated.process.id.pid) is None)
    assert spawner.log() == f"7 [{core}] (77, 77) 500 True 123000\n"


@pytest.mark.parametrize(
    ("wanted", "what"),
    [
        (Resources(cpus=(1023,)), "cpus"),
        (Resources(scheduler=("fifo", 100)), "scheduler"),
        (Resources(oom_score_adj=5000), "oom_score_adj"),
        (Resources(limits=(("nofile", resource.RLIM_INFINITY),)), "limit nofile"),
    ],
)
def test_what_the_kernel_does_not_grant_is_named(spawner: _Spawner, wanted: Resources, what: str) -> None:
    gated = spawner.spawn("/bin/true")
    with pytest.raises(SpawnError, match=f"cannot set {what}: "):
        processes.apply_resources(gated.process.id.pid, wanted)
    gated.abandon()


def test_a_pid_is_adopted_only_with_its_start_time(spawner: _Spawner) -> None:
    gated = spawner.spawn("/bin/sleep", "1000")
    gated.open()
    found = gated.process.id
    adopted = Process.adopt(found, marker="m", log=None)
    assert adopted is not None
    adopted.close()
    wrong = processes.ProcessId(found.pid, found.start + 1)
    assert Process.adopt(wrong, marker="m", log=None) is None
    gated.process.signal(signal.SIGKILL)
    until(lambda: processes.identity(found.pid) is None)
    # a zombie is nobody's unit any more
    assert Process.adopt(found, marker="m", log=None) is None


def test_members_are_found_by_the_marker_and_by_the_session(spawner: _Spawner) -> None:
    code = "sleep 1000 & setsid sleep 1000 & env -i sleep 1000 & echo started; exec sleep 1000"
    gated = spawner.spawn("/bin/sh", "-c", code)
    gated.open()
    pid = gated.process.id.pid
    try:
        until(lambda: len(processes.members(f"{_SELF}/u/")) == 3)
        marked = processes.members(f"{_SELF}/u/token")
        assert set(marked.values()) == {f"{_SELF}/u/token/{pid}"}
        assert pid in marked
        until(lambda: len(processes.session_members(pid)) == 3)
        assert len(set(processes.session_members(pid)) | marked.keys()) == 4
        assert processes.members(f"{_SELF}/other/") == {}
    finally:
        found = [*processes.session_members(pid), *processes.members(f"{_SELF}/u/")]
        processes.signal_all(processes.present(found), signal.SIGKILL)


def test_a_connector_is_made_receptive_and_loses_a_realtime_priority(spawner: _Spawner) -> None:
    gated = spawner.spawn("/bin/sleep", "1000")
    gated.open()
    pid = gated.process.id.pid
    until(lambda: Path(f"/proc/{pid}/comm").read_text().strip() == "sleep")
    if not processes.may_soften_others():
        pytest.skip("needs CAP_SYS_NICE")
    try:
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        pytest.skip("this machine grants no realtime priority")
    assert processes.soften(pid)
    assert os.sched_getscheduler(pid) == os.SCHED_OTHER
    assert int(Path(f"/proc/{pid}/timerslack_ns").read_text()) == 5_000_000
