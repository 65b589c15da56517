from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from orchestrator.supervise import process as processes
from orchestrator.supervise.process import Process
from tests.children import until
from tests.supervise.spawner import SELF, Spawner


def test_exit_codes_and_signals_are_told_apart(spawner: Spawner) -> None:
    assert spawner.run("/bin/sh", "-c", "exit 9") == 9
    assert spawner.run("/bin/sh", "-c", "kill -9 $$") == -9
    assert spawner.run("/no/such/program") in {126, 127}
    assert "/no/such/program" in spawner.log()


def test_a_pid_is_adopted_only_with_its_start_time(spawner: Spawner) -> None:
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


def test_members_are_found_by_the_marker_and_by_the_session(spawner: Spawner) -> None:
    code = "sleep 1000 & setsid sleep 1000 & env -i sleep 1000 & echo started; exec sleep 1000"
    gated = spawner.spawn("/bin/sh", "-c", code)
    gated.open()
    pid = gated.process.id.pid
    try:
        until(lambda: len(processes.members(f"{SELF}/u/")) == 3)
        marked = processes.members(f"{SELF}/u/token")
        assert set(marked.values()) == {f"{SELF}/u/token-ff/{pid}"}
        assert pid in marked
        until(lambda: len(processes.session_members(pid)) == 3)
        assert len(set(processes.session_members(pid)) | marked.keys()) == 4
        assert processes.members(f"{SELF}/other/") == {}
    finally:
        found = [*processes.session_members(pid), *processes.members(f"{SELF}/u/")]
        processes.signal_all(processes.present(found), signal.SIGKILL)


def test_a_connector_is_made_receptive_and_loses_a_realtime_priority(spawner: Spawner) -> None:
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
