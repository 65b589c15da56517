"""Clearing a channel that no start can open any more.

A connector that ends in the middle of creating its services, as one does whose other thread has just failed, leaves
segments that iceoryx2 0.6 neither completes nor removes: every later start fails (1 of 60 crashes, measured). With the
files of both services gone the next start succeeds (measured). They go only when nobody can be using them.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.channel.layout import process_of
from orchestrator.channel.nodes import scan_nodes
from orchestrator.channel.service import service_hash
from orchestrator.channel.view import SHARED_MEMORY, ServiceFiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from orchestrator.channel.location import Location

_PORTS: Final = re.compile(r"[0-9a-f]{40}_(\d+)(?:_(\d+)\.connection|\.data.*)")
"""The segments of ports, after the prefix (facts of iceoryx2 0.6.1 to 0.10: TYPEHASH_PORT.data, .._PORT_PORT)."""


def repair(location: Location, name: str) -> tuple[Path, ...]:
    """Remove what dead processes left of a connector's two services; returns what was removed.

    Nothing is removed while a living node uses one of the services, or any process has one of the files open or mapped.
    The caller sees to it that the connector itself is not running. Raises OSError when it could not look.
    """
    return remove(remains(location, name))


def tidy(location: Location, name: str) -> tuple[Path, ...]:
    """Do what `repair` does, but only where that leaves nothing behind; returns what was removed. Raises OSError.

    The data of a dead port that its service no longer names is the next start's to remove, which finds it by what
    `repair` would take away.
    """
    found = remains(location, name)
    return () if not found or _has_orphans(location, frozenset(found)) else remove(found)


def _has_orphans(location: Location, known: frozenset[Path]) -> bool:
    """Tell whether there is data of a port of a dead process besides the known."""
    return any(
        not Path(f"/proc/{process_of(ports[0])}").exists()
        for path, ports in _segments(location)
        if len(ports) == 1 and path not in known
    )


def remains(location: Location, name: str) -> tuple[Path, ...]:
    """Return what `repair` would remove: nothing while it is in use, or may be. Raises OSError."""
    nodes = scan_nodes(location)
    found: list[Path] = []
    dead: set[int] = set()
    for service in (f"{name}/ToBot", f"{name}/FromBot"):
        digest = service_hash(service)
        if nodes.tagged(digest):
            return ()
        files = ServiceFiles(location, service)
        try:
            view = files.look(nodes)
        finally:
            files.close()
        dead.update(port.id for port in (*view.publishers, *view.subscribers))
        found += files.paths(nodes)
    # a connection of which one end is no port of the services is another service's, and stays
    found += [path for path, ports in _segments(location) if dead.issuperset(ports)]
    identities = _identities(found)
    return () if not identities or _in_use(set(identities)) else tuple(identities.values())


def remove(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Remove those files unless any process has one of them open or mapped by now; returns what was removed."""
    identities = _identities(paths)
    if _in_use(set(identities)):
        return ()
    removed = []
    for path in identities.values():
        with suppress(FileNotFoundError):
            path.unlink()
            removed.append(path)
    return tuple(removed)


def _segments(location: Location) -> Iterator[tuple[Path, tuple[int, ...]]]:
    """Yield the segments of ports with the ids in their names: one of data has one, a connection its two ends."""
    with suppress(FileNotFoundError), os.scandir(SHARED_MEMORY) as entries:
        for entry in entries:
            numbers = _PORTS.fullmatch(entry.name.removeprefix(location.prefix))
            if entry.name.startswith(location.prefix) and numbers is not None:
                yield Path(entry.path), tuple(int(number) for number in numbers.groups() if number is not None)


def _identities(paths: Iterable[Path]) -> dict[tuple[int, int], Path]:
    identities = {}
    for path in paths:
        with suppress(FileNotFoundError):
            status = path.stat()
            identities[status.st_dev, status.st_ino] = path
    return identities


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
