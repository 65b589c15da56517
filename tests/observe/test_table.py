from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.observe.table import cut, duration, render


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.00 s"),
        (0.06, "0.06 s"),
        (0.994, "0.99 s"),
        (0.996, "1.0 s"),
        (9.94, "9.9 s"),
        (9.96, "9 s"),
        (14.9, "14 s"),
        (60, "1m00s"),
        (200, "3m20s"),
        (3599.9, "59m59s"),
        (7500, "2h05m"),
        (86_400 * 4 + 3600 * 3, "4d03h"),
    ],
)
def test_a_duration_reads_as_a_person_says_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_columns_are_aligned_and_no_line_ends_in_spaces() -> None:
    assert render([("UNIT", "FOR", "CHANNEL"), ("a", "2h05m", "x"), ("long-name", "-", "")]) == [
        "UNIT       FOR    CHANNEL",
        "a          2h05m  x",
        "long-name  -",
    ]


def test_where_nobody_looks_nothing_is_cut() -> None:
    assert render([("a", "x" * 500)]) == ["a  " + "x" * 500]


def test_a_narrow_terminal_loses_the_expendable_columns_first() -> None:
    rows = [("NAME", "KIND", "PID", "CHANNEL"), ("bf", "connector", "41213", "212/s, 1 bot, lag 0")]

    assert render(rows, 80, (1, 2))[1] == "bf    connector  41213  212/s, 1 bot, lag 0"
    assert render(rows, 30, (1, 2))[1] == "bf    41213  212/s, 1 bot, la…"
    assert render(rows, 25, (1, 2))[1] == "bf    212/s, 1 bot, lag 0"
    assert render(rows, 20, (1, 2))[1] == "bf    212/s, 1 bot,…"


@given(
    rows=st.lists(st.tuples(*[st.text("abc ", max_size=12)] * 4), min_size=1, max_size=5),
    width=st.integers(1, 60),
)
def test_no_line_is_wider_than_the_terminal(rows: list[tuple[str, ...]], width: int) -> None:
    lines = render(rows, width, (2, 1))

    assert len(lines) == len(rows)
    assert all(len(line) <= width for line in lines)


def test_a_cut_is_marked() -> None:
    assert (cut("abcdef", 6), cut("abcdef", 4), cut("abcdef", None)) == ("abcdef", "abc…", "abcdef")


def test_no_rows_are_no_lines() -> None:
    assert render([]) == []
