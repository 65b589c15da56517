from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.channel.service import StaticConfig, parse_static_config, service_hash

_OLD = """
service_id = "c0267e9675f658900bb6ca3993634dacc4e7eab4"
service_name = "bf/ToBot"
attributes = []
[messaging_pattern]
messaging_pattern = "PublishSubscribe"
max_subscribers = 200
max_publishers = 1
max_nodes = 20
"""
_NEW = """
service_hash = "c0267e9675f658900bb6ca3993634dacc4e7eab4"
service_name = "bf/ToBot"
[iceoryx2_version]
major = 0
minor = 10
patch = 0
[unique_service_id]
payload_value = 2600143767587521766
unique_value = 12884915797
[messaging_pattern.PublishSubscribe]
max_subscribers = 200
max_publishers = 1
"""


def test_the_hash_is_that_of_iceoryx2() -> None:
    assert service_hash("bf/ToBot") == "c0267e9675f658900bb6ca3993634dacc4e7eab4"


def test_before_0_10_the_hash_names_the_dynamic_segment() -> None:
    assert parse_static_config(_OLD.encode(), "the hash") == StaticConfig("bf/ToBot", "the hash", 1, 200)


def test_since_0_10_a_unique_id_names_it() -> None:
    parsed = parse_static_config(_NEW.encode(), "the hash")
    assert parsed == StaticConfig("bf/ToBot", "237684744121156477774372799718", 1, 200, (0, 10, 0))


@pytest.mark.parametrize("content", [b"", b"service_name = 3", b"service_name = ", b"\xff", b"a = " + b"[" * 100_000])
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_static_config(content, "")


@given(st.one_of(st.binary(), st.text().map(str.encode)))
def test_no_content_does_harm(content: bytes) -> None:
    for prefix in (b"", _OLD.encode(), _NEW.encode()):
        with contextlib.suppress(ValueError):
            parse_static_config(prefix + content, "")
