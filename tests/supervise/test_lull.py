from __future__ import annotations

import os
import subprocess
import sys
import threading

from orchestrator.supervise.lull import IDLE, Lull
from tests.children import until

_BUSY = "import threading\nt = threading.Thread(target=lambda: [0 for _ in iter(int, 1)])\nt.start()\nt.join()\n"


def test_a_process_whose_other_threads_rest_is_in_a_lull_once_none_has_worked_for_a_while() -> None:
    rest = threading.Event()
    thread = threading.Thread(target=rest.wait)
    thread.start()
    try:
        lull = Lull(os.getpid(), 10.0)
        until(lambda: lull.is_now(10.0 + 2 * IDLE))
    finally:
        rest.set()
        thread.join()


def test_a_process_with_a_thread_that_works_is_in_none() -> None:
    with subprocess.Popen([sys.executable, "-c", _BUSY]) as child:
        try:
            until(lambda: len(os.listdir(f"/proc/{child.pid}/task")) == 2)  # noqa: PTH208 - a count
            lull = Lull(child.pid, 10.0)
            seen = [lull.is_now(10.0 + 2 * IDLE) for _ in range(20)]
        finally:
            child.kill()
    assert not all(seen)


def test_a_process_that_is_gone_rests() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert Lull(child.pid, 10.0).is_now(10.0 + 2 * IDLE)
