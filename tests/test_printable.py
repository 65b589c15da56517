from __future__ import annotations

import json

import pytest

from orchestrator.printable import printable, screened

CLIPBOARD = "\x1b]52;c;aHVudGVyMg==\x07"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('plain é 漢 😀 \\ "', 'plain é 漢 😀 \\ "'),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        (f"x{CLIPBOARD}", "x\\u001b]52;c;aHVudGVyMg==\\u0007"),
        ("\x7f\x9b2J\x85", "\\u007f\\u009b2J\\u0085"),
        ("\u202egnp\u2066\u200b\u2028", "\\u202egnp\\u2066\\u200b\\u2028"),
        ("\U000e0041\udce9", "\\udb40\\udc41\\udce9"),
    ],
)
def test_what_is_not_seen_as_itself_stands_as_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert shown.isprintable()


def test_lines_tabs_and_colours_stay_and_nothing_else_commands() -> None:
    text = f"a\tb\n\x1b[31mred\x1b[0m \x1b[1m\x1b[96m \x1b[8mhidden\x1b[2J\x1b[38;5;1m\x1b[m {CLIPBOARD}\r"

    assert screened(text) == (
        "a\tb\n\x1b[31mred\x1b[0m \x1b[1m\x1b[96m \\u001b[8mhidden\\u001b[2J\\u001b[38;5;1m\\u001b[m "
        "\\u001b]52;c;aHVudGVyMg==\\u0007\\r"
    )


def test_json_is_the_same_json() -> None:
    data = {"a": "\u202e\x7f\U000e0041\n", "b": ["\x9b", "é"]}

    assert json.loads(screened(json.dumps(data, ensure_ascii=False, indent=2))) == data
