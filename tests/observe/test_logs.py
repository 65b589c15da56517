from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from orchestrator.deployment.homes import StackHome, locate
from orchestrator.observe.following import Follower
from orchestrator.observe.logs import files, history, last_words, tail

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def stack(tmp_path: Path) -> StackHome:
    home = locate({"HFTSTACK_HOME": str(tmp_path)}).stack("prod")
    home.prepare()
    return home


def _start(stack: StackHome, unit: str, number: int, text: str = "") -> Path:
    log = stack.logs / unit / f"{number:08}.log"
    log.parent.mkdir(exist_ok=True)
    log.write_text(text)
    return log


@pytest.mark.parametrize("length", [7, 65_535, 65_536, 65_537, 200_001])
def test_the_last_lines_are_whole_wherever_the_blocks_of_the_file_end(tmp_path: Path, length: int) -> None:
    log = tmp_path / "log"
    lines = ["x" * length, "é" * length, "last"]
    log.write_text("\n".join(lines) + "\n", encoding="utf-8")

    assert tail(log, 1) == ["last"]
    assert tail(log, 2) == lines[1:]
    assert tail(log, 3) == lines
    assert tail(log, 99) == lines


def test_a_last_line_without_an_end_counts(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("one\ntwo")

    assert (tail(log, 1), tail(log, 2), tail(log, 0)) == (["two"], ["one", "two"], [])


def test_a_log_that_is_empty_or_gone_has_no_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert tail(log, 5) == []
    log.touch()
    assert tail(log, 5) == []


def test_colours_and_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"\x1b[2m2026\x1b[0m \x1b[31mERROR\x1b[0m \xff\n")

    assert tail(log, 1) == ["2026 ERROR \ufffd"]


def test_last_words_keep_a_cause_at_the_end_of_a_long_line_and_leave_out_what_means_nothing(tmp_path: Path) -> None:
    log = tmp_path / "1.log"
    error = f"error=Tungstenite({'x' * 300}: failed to lookup address information)"
    log.write_text(f"[W] No config file was loaded, a config with default values will be used.\n{error}\n")
    assert last_words(log, 10) == [error]


def test_last_words_hide_a_key_before_they_cut_it_in_two(tmp_path: Path) -> None:
    log = tmp_path / "1.log"
    log.write_text(f"{'x' * 50}SECRETSECRET\n", encoding="utf-8")
    assert last_words(log, 1, width=57, hide=lambda line: line.replace("SECRETSECRET", "-")) == ["x" * 50 + "-"]


def test_last_words_count_what_repeats_and_cut_what_is_long(tmp_path: Path) -> None:
    log = tmp_path / "log"
    refused = [f"2026-03-01T12:00:0{second}.000000Z ERROR refused" for second in range(5)]
    log.write_text("\n".join(["first", *refused, "y" * 300, "last"]) + "\n")

    assert last_words(log, 10, width=60) == ["first", f"{refused[-1]}  (5 times)", "y" * 59 + "…", "last"]
    assert last_words(log, 1) == ["last"]


def test_units_are_interleaved_by_their_instants(stack: StackHome) -> None:
    _start(stack, "bf", 1, "2026-03-01T12:00:00.1Z a\n  more of a\n2026-03-01T12:00:00.3Z c\n")
    _start(stack, "mm", 1, "\x1b[2m2026-03-01T12:00:00.2Z\x1b[0m b\n2026-03-01T12:00:00.4Z d\n")

    assert [f"{unit} {line.split()[-1]}" for unit, line in history(stack, ["bf", "mm"], None)] == [
        "bf a",
        "bf a",
        "mm b",
        "bf c",
        "mm d",
    ]


def test_instants_of_different_precision_are_compared_as_times(stack: StackHome) -> None:
    _start(stack, "bf", 1, "2026-03-01T12:00:00.1Z a\n2026-03-01T12:00:01Z c\n")
    _start(stack, "mm", 1, "2026-03-01T12:00:00.123456Z b\n2026-03-01T12:00:01.5Z d\n")

    assert [line.split()[-1] for _, line in history(stack, ["bf", "mm"], None)] == ["a", "b", "c", "d"]


def test_lines_of_one_unit_keep_their_order_when_its_clock_goes_back(stack: StackHome) -> None:
    _start(stack, "bf", 1, "2026-03-01T12:00:09Z one\n2026-03-01T12:00:01Z two\nthree\n")

    assert [line.split()[-1] for _, line in history(stack, ["bf"], None)] == ["one", "two", "three"]


def test_the_last_lines_go_back_over_the_starts(stack: StackHome) -> None:
    for number, text in ((1, "a\nb\n"), (2, "c\n"), (10, "d\ne\n")):
        _start(stack, "bf", number, text)

    assert [line for _, line in history(stack, ["bf"], 4)] == ["b", "c", "d", "e"]
    assert [line for _, line in history(stack, ["bf"], None)] == ["a", "b", "c", "d", "e"]
    assert [log.name for log in files(stack, "bf")] == ["00000001.log", "00000002.log", "00000010.log"]


def test_a_unit_without_a_log_has_no_lines(stack: StackHome) -> None:
    assert list(history(stack, ["bf"], None)) == []


def test_following_begins_at_the_end_and_yields_whole_lines(stack: StackHome) -> None:
    log = _start(stack, "bf", 1, "before\n")
    follower = Follower(stack, "bf")
    assert list(follower.lines()) == []
    with log.open("a") as file:
        file.write("half a ")
        file.flush()
        assert list(follower.lines()) == []
        file.write("line\nnext\n")

    assert list(follower.lines()) == ["half a line", "next"]


def test_following_reads_the_old_start_to_its_end_and_goes_on_with_the_new(stack: StackHome) -> None:
    old = _start(stack, "bf", 1, "before\n")
    follower = Follower(stack, "bf")
    with old.open("a") as file:
        file.write("panicked\nno end of line")
    _start(stack, "bf", 2, "second start\n")
    _start(stack, "bf", 3, "third start\n")

    assert list(follower.lines()) == ["panicked", "no end of line", "second start", "third start"]


def test_following_waits_for_a_unit_that_has_not_started_yet(stack: StackHome) -> None:
    follower = Follower(stack, "bf")
    assert list(follower.lines()) == []
    _start(stack, "bf", 1, "first\n")

    assert list(follower.lines()) == ["first"]


def _at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000_000


_NOON = "2026-03-01T12:00:00Z"


def test_since_an_instant_goes_by_the_times_that_lines_carry(stack: StackHome) -> None:
    _start(stack, "bf", 1, "2026-03-01T11:00:00Z first\n  of it\n")
    _start(stack, "bf", 2, "before\n2026-03-01T11:59:59.9Z old\n  of it\n2026-03-01T12:00:00.1Z new\n  too\n")

    assert [line.split()[-1] for _, line in history(stack, ["bf"], None, _at(_NOON))] == ["new", "too"]
    assert [line.split()[-1] for _, line in history(stack, ["bf"], 1, _at(_NOON))] == ["too"]


def test_since_an_instant_a_start_after_it_is_shown_from_its_first_line(stack: StackHome) -> None:
    _start(stack, "bf", 1, "2026-03-01T11:00:00Z old\n")
    _start(stack, "bf", 2, "Starting\n2026-03-01T12:00:01Z new\n")

    assert [line.split()[-1] for _, line in history(stack, ["bf"], None, _at(_NOON))] == ["Starting", "new"]


def test_since_an_instant_a_start_that_writes_no_times_is_shown_when_it_wrote_since_then(stack: StackHome) -> None:
    before, after = _at(_NOON) - 1_000_000_000, _at(_NOON) + 1_000_000_000
    for number, written in ((1, before), (2, after), (3, after)):
        log = _start(stack, "bf", number, f"start {number}\n")
        os.utime(log, ns=(written, written))

    assert [line for _, line in history(stack, ["bf"], None, _at(_NOON))] == ["start 2", "start 3"]


def test_since_an_instant_far_back_in_a_long_log_nothing_is_left_out(stack: StackHome) -> None:
    times = [datetime.fromtimestamp(1_700_000_000 + second, UTC) for second in range(5000)]
    _start(stack, "bf", 1, "".join(f"{time:%Y-%m-%dT%H:%M:%S}.5Z {place}\n" for place, time in enumerate(times)))

    found = [line.split()[-1] for _, line in history(stack, ["bf"], None, (1_700_000_000 + 700) * 1_000_000_000)]
    assert found == [str(place) for place in range(700, 5000)]


def test_what_is_written_while_history_is_read_comes_once(stack: StackHome) -> None:
    log = _start(stack, "bf", 1, "one\nhalf a ")
    follower = Follower(stack, "bf")
    with log.open("a") as file:
        file.write("line\nthree\n")
    _start(stack, "bf", 2, "second start\n")

    assert [line for _, line in history(stack, ["bf"], None, until={"bf": follower.place})] == ["one"]
    assert list(follower.lines()) == ["half a line", "three", "second start"]


def test_what_is_written_before_the_first_start_is_seen_is_left_to_who_follows(stack: StackHome) -> None:
    follower = Follower(stack, "bf")
    _start(stack, "bf", 1, "first\n")

    assert list(history(stack, ["bf"], None, until={"bf": follower.place})) == []
    assert list(follower.lines()) == ["first"]
