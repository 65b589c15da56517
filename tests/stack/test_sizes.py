from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.stack import sizes


@pytest.mark.parametrize(
    ("text", "size"),
    [("512B", 512), ("16MiB", 16 << 20), ("1.5GB", 1_500_000_000), ("0.5KiB", 512), ("2kB", 2000), ("0B", 0)],
)
def test_a_size_is_a_number_and_a_unit(text: str, size: int) -> None:
    assert sizes.parse(text) == size
    assert re.search(sizes.PATTERN, text)


@pytest.mark.parametrize("text", ["16", "MiB", "16 MiB", "16M", "16mib", "-1B", "1.B", "1e3B", "1GiB1B", "\u0661B"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        sizes.parse(text)
    assert not re.search(sizes.PATTERN, text)


@given(st.integers(min_value=0, max_value=10**12 - 1))
def test_a_size_is_written_as_it_is_read(size: int) -> None:
    assert sizes.parse(sizes.render(size)) == size


def test_a_size_is_written_in_the_unit_that_makes_it_short() -> None:
    assert [sizes.render(size) for size in (16 << 20, 5_000_000, 1 << 30, 0)] == ["16MiB", "5MB", "1GiB", "0B"]
