"""iceoryx2 nodes and the processes that live behind them, in one look shared by all probes of a location."""

from __future__ import annotations

import fcntl
import functools
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from orchestrator.channel.location import Location

_FLOCK: Final = struct.Struct("hhqqi4x")
_QUESTION: Final = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - where POSIX shared memory lives on Linux
_MONITOR: Final = ".node_monitor"
_TYPE_HASH: Final = 40
_SWEEP: Final = 64


class Nodes:
    """Which process owns which node, and which files exist, as of the last `refresh`.

    A living node holds a write lock on its monitor file for its whole life; F_GETLK names the holder without taking
    anything (iceoryx2 0.6.1, iceoryx2-bb-posix/src/process_state.rs). Monitors of living nodes stay open between
    rounds, so that a round costs one fcntl a node. Listings are made when a probe first asks for them. Never use this
    in a process that owns iceoryx2 nodes: closing any descriptor of a monitor would drop that process's lock.
    """

    def __init__(self, location: Location) -> None:
        self.location = location
        self._directory = Path(location.root, "nodes")
        self._rounds = 0
        self._monitors: dict[int, int] = {}
        self._owners: dict[int, int] = {}
        self._pids: dict[int, int | None] = {}
        self._shared_memory: dict[str, str] | None = None

    def refresh(self) -> None:
        """Begin a new round: what was learnt in the last one is asked again."""
        self._pids.clear()
        self._shared_memory = None
        self._rounds += 1
        if self._rounds % _SWEEP == 0:
            # nodes that nobody asks for any more: their monitors are closed when their owners are gone
            for node in list(self._monitors):
                self._ask(node)

    def pid(self, node: int) -> int | None:
        """Return the pid of a living node's process, None when the node is dead.

        0 stands for a process in a pid namespace that cannot be seen from here.

        Raises:
            OSError: the monitor exists and may not be read.
        """
        try:
            return self._pids[node]
        except KeyError:
            answer = self._pids[node] = self._ask(node)
            return answer

    def tagged(self, digest: str) -> frozenset[int]:
        """Return the pids of living processes that use the service of that hash, whatever its version.

        Raises:
            OSError: the nodes may not be listed.
        """
        tag = f"{self.location.prefix}{digest}.service_tag"
        pids = set()
        for node in self._listed():
            if (self._directory / str(node) / tag).exists() and (pid := self.pid(node)) is not None:
                pids.add(pid)
        return frozenset(pids)

    def shared_memory(self, ending: str) -> str | None:
        """Return the name in /dev/shm that carries our prefix, a type's hash, `_` and then exactly `ending`.

        The ending of a data segment is its port and `.data`; the number that may follow it is ignored.
        """
        if self._shared_memory is None:
            self._shared_memory = self._list_shared_memory()
        return self._shared_memory.get(ending)

    def forget(self, pid: int) -> None:
        """Close the monitors of a process that exited."""
        for node in [node for node, owner in self._owners.items() if owner == pid]:
            self._close(node)
            self._pids.pop(node, None)

    def close(self) -> None:
        """Close every descriptor; the next question opens what it needs."""
        for node in list(self._monitors):
            self._close(node)
        self.refresh()

    def _ask(self, node: int) -> int | None:
        descriptor = self._monitors.get(node)
        if descriptor is None:
            path = self._directory / f"{self.location.prefix}{node}{_MONITOR}"
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            except (FileNotFoundError, NotADirectoryError):
                return None
            self._monitors[node] = descriptor
        kind, _, _, _, pid = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_GETLK, _QUESTION))
        if kind == fcntl.F_UNLCK:
            self._close(node)
            return None
        # the kernel gives 0 or -1 for a holder outside our pid namespace
        self._owners[node] = owner = max(0, int(pid))
        return owner

    def _close(self, node: int) -> None:
        self._owners.pop(node, None)
        descriptor = self._monitors.pop(node, None)
        if descriptor is not None:
            os.close(descriptor)

    def _listed(self) -> list[int]:
        start = len(self.location.prefix)
        nodes = []
        try:
            with os.scandir(self._directory) as entries:
                names = [entry.name for entry in entries]
        except (FileNotFoundError, NotADirectoryError):
            return []
        for name in names:
            number = name[start : -len(_MONITOR)]
            if name.startswith(self.location.prefix) and name.endswith(_MONITOR) and number.isdecimal():
                nodes.append(int(number))
        return nodes

    def _list_shared_memory(self) -> dict[str, str]:
        start = self.location.prefix
        found = {}
        try:
            with os.scandir(_SHARED_MEMORY) as entries:
                names = [entry.name for entry in entries]
        except (FileNotFoundError, NotADirectoryError):
            return {}
        for name in names:
            if not name.startswith(start):
                continue
            kind, _, ending = name[len(start) :].partition("_")
            # the length tells a longer prefix that begins like ours
            if len(kind) == _TYPE_HASH:
                if ".data" in ending:
                    ending = ending[: ending.index(".data") + len(".data")]
                found[ending] = name
        return found


def scan_nodes(location: Location) -> Nodes:
    """Begin a new round for a location and return it.

    A process has one Nodes a location: it keeps its descriptors, and what an earlier call returned is this same object.
    """
    nodes = _kept(location)
    nodes.refresh()
    return nodes


@functools.cache
def _kept(location: Location) -> Nodes:
    return Nodes(location)
