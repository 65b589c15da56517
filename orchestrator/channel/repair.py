"""Clearing a channel that no start can open any more.

A connector that ends in the middle of creating its services, as one does whose other thread has just failed, leaves
segments that iceoryx2 0.6 neither completes nor removes: every later start fails (1 of 60 crashes, measured). With the
files of both services gone the next start succeeds (measured). They go only when nobody can be using them.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.channel.nodes import scan_nodes
from orchestrator.channel.service import service_hash
from orchestrator.channel.view import SHARED_MEMORY

if TYPE_CHECKING:
    from orchestrator.channel.location import Location


def repair(location: Location, name: str) -> tuple[Path, ...]:
    """Remove what dead processes left of a connector's two services; returns what was removed.

    Nothing is removed while a living node uses one of the services, or any process has one of the files open or mapped.
    The caller sees to it that the connector itself is not running. Raises OSError when it could not look.
    """
    nodes = scan_nodes(location)
    found = []
    for service in (f"{name}/ToBot", f"{name}/FromBot"):
        digest = service_hash(service)
        if nodes.tagged(digest):
            return ()
        dynamic = nodes.shared_memory(f"{digest}.dynamic")
        found.append(Path(location.root, "services", f"{location.prefix}{digest}.service"))
        if dynamic is not None:
            found.append(SHARED_MEMORY / dynamic)
    identities = {}
    for path in found:
        with suppress(FileNotFoundError):
            status = path.stat()
            identities[status.st_dev, status.st_ino] = path
    if not identities or _in_use(set(identities)):
        return ()
    removed = []
    for path in identities.values():
        with suppress(FileNotFoundError):
            path.unlink()
            removed.append(path)
    return tuple(removed)


def _in_use(files: set[tuple[int, int]]) -> bool:
    """Tell whether a process that we may look into has one of these files open or mapped."""
    with os.scandir("/proc") as entries:
        pids = [entry.name for entry in entries if entry.name.isdecimal()]
    return any(_has_open(pid, files) or _has_mapped(pid, files) for pid in pids)


def _has_open(pid: str, files: set[tuple[int, int]]) -> bool:
    try:
        with os.scandir(f"/proc/{pid}/fd") as entries:
            paths = [entry.path for entry in entries]
    except OSError:
        return False  # gone, or another user's, who cannot open files that are their owner's alone
    for path in paths:
        with suppress(OSError):
            status = os.stat(path)  # noqa: PTH116 - thousands of them
            if (status.st_dev, status.st_ino) in files:
                return True
    return False


def _has_mapped(pid: str, files: set[tuple[int, int]]) -> bool:
    """Compare device and inode of /proc/PID/maps (proc(5)): a process in another mount namespace shows any path."""
    try:
        text = Path(f"/proc/{pid}/maps").read_text(errors="replace")
    except OSError:
        return False
    for line in text.splitlines():
        fields = line.split(maxsplit=5)
        major, _, minor = fields[3].partition(":")
        if (os.makedev(int(major, 16), int(minor, 16)), int(fields[4])) in files:
            return True
    return False
