"""Where iceoryx2 keeps ports and counters inside its shared memory, one row a version. Pure: bytes in, ports out.

All integers are little endian. A dynamic segment begins with the version that made it; then three containers lie one
after the other: subscribers, publishers, nodes. A container's head says where its slots are (iceoryx2-bb-lock-free,
src/mpmc/container.rs; iceoryx2, src/service/dynamic_config/): distance to the array of counters, distance to the
array of entries (each from its own field), capacity, change counter. A slot's counter is odd while its port exists;
an entry's bytes stay behind when its port goes. The change counter moves after every addition and removal.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Final

WORD: Final = 8
_HEAD: Final = struct.Struct("<qqQQ")
_CHANGES: Final = 24


@dataclass(frozen=True, slots=True)
class Layout:
    """Offsets and sizes in bytes for one version.

    `subscribers` and `publishers` are the offsets of the containers' heads in the dynamic segment, `subscriber_size`
    and `publisher_size` the distance from one entry to the next. An entry begins with the port's id of 16 bytes; the
    id of its node, 16 bytes too, lies at `node`. `counters` is the offset of `written` in a connection segment, `read`
    follows it.
    """

    subscribers: int
    publishers: int
    subscriber_size: int
    publisher_size: int
    node: int
    counters: int

    @property
    def watch(self) -> tuple[int, int]:
        """Offset and length of the bytes that hold both change counters."""
        start = self.subscribers + _CHANGES
        return start, self.publishers + _CHANGES + WORD - start


_0_6: Final = Layout(24, 104, subscriber_size=40, publisher_size=56, node=16, counters=128)
_0_7: Final = replace(_0_6, counters=112)
_0_9: Final = replace(_0_6, counters=168)
_0_10: Final = Layout(16, 96, subscriber_size=128, publisher_size=136, node=96, counters=160)

LAYOUTS: Final[dict[tuple[int, int, int], Layout]] = {
    (0, 6, 1): _0_6,
    (0, 7, 0): _0_7,
    (0, 8, 0): _0_7,
    (0, 8, 1): _0_7,
    (0, 9, 0): _0_9,
    (0, 9, 1): _0_9,
    (0, 9, 2): _0_9,
    (0, 9, 3): _0_9,
    (0, 10, 0): _0_10,
}
"""Measured on the crate 0.6.1 and on the wheels of the others, x86-64; each use is guarded by the version word and by
bounds."""


@dataclass(frozen=True, slots=True)
class Port:
    """One slot that holds or held a port."""

    id: int
    node: int
    active: bool


@dataclass(frozen=True, slots=True)
class Container:
    """A container's place in its segment: offsets in bytes of the counters and of the entries, number of slots."""

    counters: int
    entries: int
    capacity: int

    def end(self, size: int) -> int:
        """Return the offset behind the last entry, for entries of `size` bytes."""
        return self.entries + self.capacity * size


def process_of(port: int) -> int:
    """Return the pid in a port's id: its low 32 bits, up to 0.9 (iceoryx2 0.6.1, unique_system_id.rs)."""
    return port & 0xFFFFFFFF


def parse_version(word: bytes) -> tuple[int, int, int] | None:
    """Return the version in a segment's first eight bytes, None while the segment is not initialised."""
    value = int.from_bytes(word[:WORD], "little")
    return (value >> 32, value >> 16 & 0xFFFF, value & 0xFFFF) if value else None


def parse_container(segment: bytes, head: int, size: int, capacity: int | None) -> Container | None:
    """Return the container whose head is at that offset; None when it is not one.

    `size` is the distance between entries, `capacity` the number of slots that the static config promises, if it does.
    """
    if head + _HEAD.size > len(segment):
        return None
    counters, entries, slots, _ = _HEAD.unpack_from(segment, head)
    found = Container(head + counters, head + WORD + entries, slots)
    fits = head < found.counters <= found.entries - slots * WORD and found.end(size) <= len(segment)
    return found if fits and slots > 0 and capacity in (None, slots) else None


def parse_ports(segment: bytes, container: Container, size: int, node: int) -> tuple[Port, ...]:
    """Return the slots of a container that parse_container accepted and that were ever used."""
    counters = struct.unpack_from(f"<{container.capacity}Q", segment, container.counters)
    ports = []
    for slot, counter in enumerate(counters):
        if counter:
            at = container.entries + slot * size
            entry = segment[at : at + size]
            ports.append(
                Port(
                    int.from_bytes(entry[:16], "little"),
                    int.from_bytes(entry[node : node + 16], "little"),
                    counter % 2 == 1,
                )
            )
    return tuple(ports)
