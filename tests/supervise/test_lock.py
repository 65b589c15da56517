from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from orchestrator.supervise import lock

if TYPE_CHECKING:
    from pathlib import Path

_HOLD = """
import sys, time
from pathlib import Path
from orchestrator.supervise import lock
held = lock.acquire(Path(sys.argv[1]))
print("none" if held is None else "held", flush=True)
time.sleep(1000)
"""


def _hold(path: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen([sys.executable, "-c", _HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def _end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_one_process_holds_it_and_is_named_until_it_dies(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert lock.holder(path) is None
    first, said = _hold(path)
    assert said == "held"
    assert lock.acquire(path) is None
    assert lock.holder(path) == first.pid
    _end(first)
    assert lock.holder(path) is None
    descriptor = lock.acquire(path)
    assert descriptor is not None
    assert lock.holder(path) == os.getpid()
    os.close(descriptor)


def test_who_asks_never_keeps_anybody_from_taking_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            lock.holder(path)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(500):
            descriptor = lock.acquire(path)
            assert descriptor is not None
            os.close(descriptor)
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def test_a_lock_on_a_file_that_was_removed_counts_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first, _ = _hold(path)
    path.unlink()
    assert lock.holder(path) is None
    descriptor = lock.acquire(path)
    assert descriptor is not None
    os.close(descriptor)
    _end(first)
