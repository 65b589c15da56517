"""Which TCP connections a process holds, seen from outside: /proc/PID/fd against /proc/PID/net/tcp, tcp6 (proc(5))."""

from __future__ import annotations

import ipaddress
import os
import sys
import time
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from orchestrator.deployment.model import Endpoint

_ESTABLISHED: Final = b"01"


class Proof(StrEnum):
    """How sure it is that a stream is connected. Unproven: a socket to its port, that may be another one's."""

    NONE = "none"
    UNPROVEN = "unproven"
    PROVEN = "proven"


class Connections:
    """The established TCP connections of processes; a table of a network namespace is read for all who ask at once.

    The kernel walks its whole hash for it: 5 ms of processor time a table on a machine of 24 GB (measured), however few
    connections there are. So what was read is taken for what is until twice the time that the reading took is over.
    """

    def __init__(self) -> None:
        self._tables: dict[str, _Table] = {}

    def of(self, pid: int, now: float) -> Iterator[tuple[str, int]]:
        """Yield the remote (address, port) of each established connection of a process, those over IPv4 first.

        Addresses are in their compressed form, an IPv4 one mapped into IPv6 as IPv4. A process that is gone, or whose
        descriptors we may not read, has none. `now` is a monotonic clock, in seconds; a table that the caller does not
        get to is not read.
        """
        inodes = _socket_inodes(pid)
        if not inodes:
            return
        for name in ("tcp", "tcp6"):
            remotes = self._read(pid, name, now)
            for inode in inodes & remotes.keys():
                address, _, port = remotes[inode].partition(b":")
                yield _address(address), int(port, 16)

    def _read(self, pid: int, name: str, now: float) -> Mapping[bytes, bytes]:
        try:
            where = f"{os.readlink(f'/proc/{pid}/ns/net')} {name}"  # noqa: PTH115 - ten times a second
        except OSError:
            return {}
        kept = self._tables.get(where)
        if kept is None or now > kept.until:
            began = time.thread_time()
            remotes = _remotes(f"/proc/{pid}/net/{name}")
            kept = self._tables[where] = _Table(now + 2 * (time.thread_time() - began), remotes)
        return kept.remotes


class _Table(NamedTuple):
    """What a table said of established connections, by inode in the kernel's form; `until` is how long that counts."""

    until: float
    remotes: Mapping[bytes, bytes]


def _remotes(path: str) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    with suppress(OSError), Path(path).open("rb") as file:
        next(file, None)
        for line in file:
            fields = line.split(None, 10)
            if fields[3] == _ESTABLISHED:
                found[fields[9]] = fields[2]
    return found


def _socket_inodes(pid: int) -> set[bytes]:
    inodes: set[bytes] = set()
    directory = f"/proc/{pid}/fd"
    try:
        with os.scandir(directory) as entries:
            names = [entry.path for entry in entries]
    except OSError:
        return inodes
    for name in names:
        try:
            target = os.readlink(name)  # noqa: PTH115 - thousands of times a minute
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1].encode())
    return inodes


def _address(text: bytes) -> str:
    """Decode the kernel's form: 32-bit words in the byte order of the machine."""
    raw = bytes.fromhex(text.decode())
    if sys.byteorder == "little":
        raw = b"".join(raw[i : i + 4][::-1] for i in range(0, len(raw), 4))
    address = ipaddress.ip_address(raw)
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped if mapped is not None else address)


def proof(endpoint: Endpoint, addresses: Collection[str], remotes: Iterable[tuple[str, int]]) -> Proof:
    """Tell whether one of `remotes` is the stream at `endpoint`.

    `addresses` is the union of what the host has resolved to so far. With no match, an established socket to the same
    port counts, unproven: the host may have moved since.
    """
    best = Proof.NONE
    for address, port in remotes:
        if port != endpoint.port:
            continue
        if address in addresses and not endpoint.shared:
            return Proof.PROVEN
        best = Proof.UNPROVEN
    return best
