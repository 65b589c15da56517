"""Parents, children and zombies, as /proc tells them (proc(5)). Loads next to nothing: the guardian uses it."""

from __future__ import annotations

import os


def children(pid: int | None = None) -> list[int]:
    """Return the pids of a process's children, our own without `pid` (/proc/PID/task/TID/children, proc(5))."""
    parent = pid or os.getpid()
    try:
        descriptor = os.open(f"/proc/{parent}/task/{parent}/children", os.O_RDONLY)
    except OSError:
        return []
    try:
        data = b""
        while part := os.read(descriptor, 1 << 16):
            data += part
    except OSError:
        return []
    finally:
        os.close(descriptor)
    return [int(child) for child in data.split()]


def is_zombie(pid: int) -> bool:
    """Tell whether a process has ended and waits to be reaped."""
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return False
    try:
        return os.read(descriptor, 1 << 12).rpartition(b")")[2].split()[:1] == [b"Z"]
    except OSError:
        return False
    finally:
        os.close(descriptor)
