"""The file of a unit's next start, on a disk that has no room for it."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from orchestrator.logs import archives, rotation
from orchestrator.logs.logfiles import LogFiles
from orchestrator.logs.output import Output
from tests.logs.fulldisk import fill

if TYPE_CHECKING:
    from pathlib import Path


def _written(log: Path, lines: int) -> None:
    with log.open("ab") as file:
        file.writelines(b"line %d of some\n" % number for number in range(lines))


def test_a_start_on_a_full_disk_has_room_for_what_it_writes_at_the_cost_of_older_output(small: Path) -> None:
    files = LogFiles(small)
    first = files.new("mm")
    _written(first, 40_000)
    assert list(rotation.rotate(first, most=1 << 20))
    other = LogFiles(small).new("bf")
    fill(small)
    second = files.new("mm")
    assert second.name == "00000002.log"
    _written(second, 500)
    _written(other, 500)
    assert archives.lost_in(small / "mm") > 0
    assert Output(second).last(1).splitlines()[-1] == b"line 499 of some"


def test_what_was_set_aside_for_a_start_is_the_next_ones_on_a_full_disk(small: Path) -> None:
    files = LogFiles(small)
    _written(files.new("mm"), 500)
    fill(small)
    for number in range(2, 6):
        log = files.new("mm")
        assert log.name == f"{number:08}.log"
        _written(log, 500)
        assert Output(log).last(1).splitlines()[-1] == b"line 499 of some"
    assert archives.lost_in(small / "mm") == 0


def test_the_output_of_earlier_starts_gives_way_and_is_counted(small: Path) -> None:
    files = LogFiles(small)
    first = files.new("mm")
    _written(first, 5_000)
    size = first.stat().st_size
    rotation.trim(first)
    fill(small)
    second = files.new("mm")
    _written(second, 500)
    assert Output(second).last(1).splitlines()[-1] == b"line 499 of some"
    assert archives.lost_in(small / "mm") == size
    gone = Output(first)
    assert gone.read(0) == (size, b"")
    assert gone.lost == size


def test_other_units_output_gives_way_in_the_last_resort(small: Path) -> None:
    first = LogFiles(small).new("mm")
    _written(first, 20_000)
    assert list(rotation.rotate(first, most=1 << 20))
    fill(small)
    _written(LogFiles(small).new("bf"), 500)
    assert archives.lost_in(small / "mm") > 0


def test_a_start_on_a_full_disk_with_nothing_to_give_up_has_no_log_rather_than_one_that_fails_it(small: Path) -> None:
    fill(small)
    with pytest.raises(OSError, match="No space left") as caught:
        LogFiles(small).new("mm")
    assert caught.value.errno == errno.ENOSPC
    assert not list((small / "mm").glob("*.log"))
