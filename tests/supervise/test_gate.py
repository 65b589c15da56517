from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.deployment.model import Resources
from orchestrator.supervise import process as processes
from orchestrator.supervise.gate import Command, spawn
from orchestrator.supervise.process import Process, ProcessId, SpawnError
from tests.children import until
from tests.supervise.spawner import SELF, Spawner


def test_nothing_of_the_program_runs_before_the_gate_opens(spawner: Spawner) -> None:
    gated = spawner.spawn("/bin/sh", "-c", "echo ran > ran; exec sleep 1000")
    pid = gated.process.id.pid
    until(lambda: Path(f"/proc/{pid}/comm").read_text().strip() == "sh")
    assert not (spawner.folder / "ran").exists()
    gated.open()
    until((spawner.folder / "ran").exists)
    until(lambda: Path(f"/proc/{pid}/comm").read_text().strip() == "sleep")
    assert processes.identity(pid) == gated.process.id


def test_behind_its_gate_a_child_is_nobodys_and_writes_no_log(spawner: Spawner) -> None:
    gated = spawner.spawn("/bin/sleep", "1000", unit="waits")
    pid = gated.process.id.pid
    until(lambda: Path(f"/proc/{pid}/comm").read_text().strip() == "sh")
    assert processes.members(f"{SELF}/waits/") == {}
    assert not processes.is_member(pid, Process(ProcessId(1, 1), -1, child=False, marker=f"{SELF}/waits/x/1", log=None))
    assert not (spawner.folder / "log").exists()
    gated.open()
    until(lambda: processes.members(f"{SELF}/waits/") == {pid: f"{SELF}/waits/token-ff/{pid}"})
    assert (spawner.folder / "log").exists()


def test_an_abandoned_child_leaves_without_having_begun(spawner: Spawner) -> None:
    gated = spawner.spawn("/bin/sh", "-c", "echo ran > ran")
    gated.abandon()
    until(lambda: processes.identity(gated.process.id.pid) is None)
    assert not (spawner.folder / "ran").exists()


_DYING = """
import os, sys
from orchestrator.supervise.gate import Command, spawn
for unit in "ab":
    gated = spawn(Command(("/bin/sh", "-c", "echo ran >> ran"), sys.argv[1], {}, f"0/x/{unit}/t", sys.argv[1]))
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


def test_a_unit_has_its_environment_its_marker_and_nothing_else(spawner: Spawner) -> None:
    gated = spawner.spawn("/usr/bin/env", env={"A": "1 '2' $3\n4", "PWD": "/elsewhere", "log": "l"})
    gated.open()
    until(lambda: processes.identity(gated.process.id.pid) is None)
    said = spawner.log()
    assert "A=1 '2' $3\n4\n" in said
    assert "log=l\n" in said
    assert f"HFTSTACK_UNIT={SELF}/u/token-ff/{gated.process.id.pid}\n" in said
    assert gated.process.marker == f"{SELF}/u/token-ff/{gated.process.id.pid}"
    assert {line.partition("=")[0] for line in said.splitlines() if "=" in line} == {
        "A",
        "PATH",
        "PWD",
        "log",
        "HFTSTACK_UNIT",
    }


def test_arguments_reach_the_program_as_they_are(spawner: Spawner) -> None:
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


def test_a_unit_has_default_signals_a_session_of_its_own_and_no_descriptor_of_ours(spawner: Spawner) -> None:
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


def test_a_folder_that_is_gone_is_an_exit_with_words(spawner: Spawner) -> None:
    spawner.folder.joinpath("log").touch()
    gated = spawn(Command(("/bin/true",), "/no/such/folder", {}, "m", str(spawner.folder)))
    gated.begin_at(255, spawner.folder / "log")
    gated.open()
    until(lambda: processes.identity(gated.process.id.pid) is None)
    assert gated.process.reap() == (True, 126)
    gated.process.close()
    assert "/no/such/folder" in spawner.log()


def test_a_log_that_cannot_be_written_keeps_no_unit_from_running(tmp_path: Path) -> None:
    command = Command(("/bin/sh", "-c", "echo said; touch ran"), str(tmp_path), {"PATH": "/bin"}, "m", "/no/folder")
    gated = spawn(command)
    gated.begin_at(255, Path("/no/folder/log"))
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


def test_resources_are_in_force_when_the_program_begins(spawner: Spawner) -> None:
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
def test_what_the_kernel_does_not_grant_is_named(spawner: Spawner, wanted: Resources, what: str) -> None:
    gated = spawner.spawn("/bin/true")
    with pytest.raises(SpawnError, match=f"cannot set {what}: "):
        processes.apply_resources(gated.process.id.pid, wanted)
    gated.abandon()
