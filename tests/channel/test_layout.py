from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.channel.layout import LAYOUTS, Port, parse_container, parse_ports, parse_version

_LAYOUT = LAYOUTS[0, 6, 1]


def _segment(*slots: tuple[int, int, int]) -> bytes:
    """Return a container of four slots at offset 0, filled with counter, port id and node id."""
    counters, entries = 64, 64 + 4 * 8
    head = struct.pack("<qqQQ", counters, entries - 8, 4, len(slots))
    odd = b"".join(struct.pack("<Q", counter) for counter, _, _ in slots).ljust(32, b"\0")
    ids = b"".join(port.to_bytes(16, "little") + node.to_bytes(16, "little") + bytes(8) for _, port, node in slots)
    return head.ljust(64, b"\0") + odd + ids.ljust(4 * 40, b"\0")


def test_a_version_word_is_taken_apart() -> None:
    assert parse_version(struct.pack("<Q", 0x60001)) == (0, 6, 1)
    assert parse_version(struct.pack("<Q", 0xA0000)) == (0, 10, 0)
    assert parse_version(struct.pack("<Q", 0x1_0002_0003)) == (1, 2, 3)


@pytest.mark.parametrize("word", [b"", bytes(8)])
def test_a_segment_that_is_not_initialised_has_no_version(word: bytes) -> None:
    assert parse_version(word) is None


def test_a_slot_is_active_when_its_counter_is_odd_and_remembered_when_it_is_even() -> None:
    segment = _segment((1, 11, 12), (2, 21, 22), (0, 31, 32), (3, 41, 42))
    container = parse_container(segment, 0, 40, 4)
    assert container is not None
    assert parse_ports(segment, container, 40, 16) == (
        Port(11, 12, active=True),
        Port(21, 22, active=False),
        Port(41, 42, active=True),
    )


def test_a_capacity_that_contradicts_the_static_config_is_no_container() -> None:
    assert parse_container(_segment(), 0, 40, 5) is None
    assert parse_container(_segment(), 0, 40, None) is not None


def test_a_container_cut_short_is_none() -> None:
    segment = _segment()
    assert parse_container(segment, 0, 40, 4) is not None
    assert parse_container(segment[:-1], 0, 40, 4) is None


@given(st.binary(max_size=400), st.sampled_from(sorted(LAYOUTS)))
def test_no_segment_does_harm(content: bytes, version: tuple[int, int, int]) -> None:
    layout = LAYOUTS[version]
    for head, size in ((layout.subscribers, layout.subscriber_size), (layout.publishers, layout.publisher_size)):
        container = parse_container(content, head, size, None)
        if container is not None:
            assert len(parse_ports(content, container, size, layout.node)) <= container.capacity


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**64 - 1))
def test_no_head_leads_outside_the_segment(counters: int, entries: int, capacity: int) -> None:
    segment = struct.pack("<qqQQ", counters, entries, capacity, 1).ljust(256, b"\1")
    container = parse_container(segment, 0, 40, None)
    if container is not None:
        ports = parse_ports(segment, container, 40, 16)
        assert len(ports) == container.capacity
