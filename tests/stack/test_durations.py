from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.stack import durations


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("250ms", 250_000_000),
        ("10s", 10_000_000_000),
        ("5m", 300_000_000_000),
        ("23h", 82_800_000_000_000),
        ("50us", 50_000),
        ("7ns", 7),
        ("1m30s", 90_000_000_000),
        ("1d2h3m4s5ms6us7ns", 93_784_005_006_007),
        ("1.5s", 1_500_000_000),
        ("0.1s", 100_000_000),
        ("0s", 0),
        ("0.5ns", 0),
    ],
)
def test_a_duration_is_read_exactly(text: str, nanoseconds: int) -> None:
    assert durations.parse(text) == nanoseconds


@pytest.mark.parametrize(
    "text",
    ["", "5", "s", "5 s", "-5s", "+5s", "5S", "5sec", "1s1m", "1s1s", "1.s", ".5s", "1e3s", "٣s", "5s ", "1_0s"],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        durations.parse(text)


@given(st.integers(min_value=0, max_value=10**18))
def test_what_is_rendered_reads_back_as_the_same(nanoseconds: int) -> None:
    assert durations.parse(durations.render(nanoseconds)) == nanoseconds
