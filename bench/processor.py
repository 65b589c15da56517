"""Processor time of a process, and the memory that is its own."""

from __future__ import annotations

import os
import time
from pathlib import Path


def consumed(pid: int) -> float:
    """Return the seconds that all threads of a process have run (/proc/PID/task/*/schedstat, in nanoseconds)."""
    return sum(int(file.read_text().split()[0]) for file in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def ticks(pid: int) -> int:
    """Return the clock ticks that a process has run, as `ps` and `top` count them (proc(5), utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def proportional(pid: int) -> int:
    """Return the bytes of memory that a process takes, shared pages divided by their users (smaps_rollup, Pss)."""
    return _rollup(pid, "Pss:")


def anonymous(pid: int) -> int:
    """Return the bytes of it that are no file's: what does not depend on who else runs the same program."""
    return _rollup(pid, "Pss_Anon:")


def _rollup(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)


def shares(pid: int, count: int) -> tuple[float, ...]:
    """Watch a process for that many seconds and return, for each, the seconds of a core that it took."""
    found = []
    at, before = time.monotonic(), consumed(pid)
    for _ in range(count):
        time.sleep(max(0.0, at + 1.0 - time.monotonic()))
        now, after = time.monotonic(), consumed(pid)
        found.append((after - before) / (now - at))
        at, before = now, after
    return tuple(found)


def frequency() -> int:
    """Return the clock ticks of a second."""
    return os.sysconf("SC_CLK_TCK")
