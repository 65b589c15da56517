"""Which TCP connections a process holds, seen from outside: /proc/PID/fd against /proc/PID/net/tcp, tcp6 (proc(5))."""

from __future__ import annotations

import ipaddress
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from orchestrator.deployment.model import Endpoint

_ESTABLISHED: Final = b"01"


class Proof(StrEnum):
    """How sure it is that a stream is connected. Unproven: a socket to its port, that may be another one's."""

    NONE = "none"
    UNPROVEN = "unproven"
    PROVEN = "proven"


def established(pid: int) -> frozenset[tuple[str, int]]:
    """Return the remote (address, port) of each established TCP connection of the process.

    Addresses are in their compressed form, an IPv4 one mapped into IPv6 as IPv4. A process that is gone, or whose
    descriptors we may not read, has none.
    """
    inodes = _socket_inodes(pid)
    if not inodes:
        return frozenset()
    found = set()
    for table in ("tcp", "tcp6"):
        try:
            with Path(f"/proc/{pid}/net/{table}").open("rb") as file:
                next(file, None)
                for line in file:
                    fields = line.split()
                    if fields[3] == _ESTABLISHED and fields[9] in inodes:
                        address, _, port = fields[2].partition(b":")
                        found.add((_address(address), int(port, 16)))
        except OSError:
            continue
    return frozenset(found)


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
