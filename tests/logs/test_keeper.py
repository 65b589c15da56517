from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from orchestrator.deployment.model import Logs
from orchestrator.logs import archives
from orchestrator.logs.keeper import LogKeeper
from orchestrator.logs.output import Output
from orchestrator.supervise.process import Process, identity
from tests.children import until
from tests.logs.fulldisk import fill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_SCRIPT = "n=0; while [ $n -lt 4000 ]; do echo $n; n=$((n+1)); done; exec sleep 1000"


class _Kept:
    """A process that writes 4000 numbered lines into a log, under a keeper."""

    wall = 0.0

    def __init__(self, folder: Path, script: str = _SCRIPT) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.log = folder / "00000001.log"
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(["/bin/sh", "-c", script], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        who = identity(self.child.pid)
        assert who is not None
        process = Process.adopt(who, marker="", log=str(self.log))
        assert process is not None
        self.process = process
        self.notes: list[tuple[str, str]] = []

    def run(self, bounds: Logs, holds: Callable[[], bool], *, step: float = 0.05) -> LogKeeper:
        """Keep the log until a condition holds, looking again and again; the clock goes on by `step` each time."""

        def note(unit: str, what: str, text: str) -> None:
            assert unit == "u"
            self.notes.append((what, text))

        self.units = {"u": self.process}
        keeper = LogKeeper(self.units, self.folder.parent, lambda _: bounds, note)
        clock = itertools.count()

        def look() -> bool:
            keeper.look(next(clock) * step, self.wall)
            return holds()

        until(look)
        return keeper

    def read(self) -> tuple[list[bytes], int]:
        """Return every line that can be read, and how many bytes cannot."""
        output, offset, data = Output(self.log), 0, b""
        while True:
            offset, more = output.read(offset)
            if not more:
                return data.splitlines(), output.lost
            data += more

    def has_written(self) -> bool:
        """Tell whether all lines are there."""
        return self.log.stat().st_size == sum(len(f"{number}\n") for number in range(4000))

    def close(self) -> None:
        self.child.kill()
        self.child.wait()
        self.process.close()


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[_Kept]:
    made = _Kept(tmp_path / "u")
    yield made
    made.close()


def _archived(kept: _Kept) -> int:
    return archives.begin_of(kept.log)


def test_a_log_is_rotated_by_size_while_it_is_written_and_every_line_is_read_once(kept: _Kept) -> None:
    kept.run(Logs(max_size=2000), lambda: kept.has_written() and _archived(kept) > 16_000)
    assert kept.read() == ([b"%d" % number for number in range(4000)], 0)
    assert kept.notes == []
    assert kept.child.poll() is None


def test_a_log_is_rotated_by_age(kept: _Kept) -> None:
    until(kept.has_written)
    kept.run(Logs(max_age=0.0), lambda: _archived(kept) == kept.log.stat().st_size)
    assert kept.read() == ([b"%d" % number for number in range(4000)], 0)


@pytest.mark.parametrize(("max_age", "is_old"), [(3500.0, True), (4500.0, False)])
def test_output_from_before_this_keepers_time_is_as_old_as_its_log(
    kept: _Kept, *, max_age: float, is_old: bool
) -> None:
    until(kept.has_written)
    kept.wall = time.time() + 4000.0
    kept.run(Logs(max_age=max_age), lambda: True)
    assert _archived(kept) == (kept.log.stat().st_size if is_old else 0)


@pytest.mark.parametrize(("max_age", "is_old"), [(3500.0, True), (4500.0, False)])
def test_output_from_after_the_last_archive_is_at_most_as_old_as_that(
    kept: _Kept, *, max_age: float, is_old: bool
) -> None:
    until(kept.has_written)
    kept.run(Logs(max_size=2000), lambda: kept.log.stat().st_size - _archived(kept) < 2000)
    archived = _archived(kept)
    for number, span in enumerate(archives.of_log(kept.log)):
        os.utime(span.path(kept.folder), times=(0, 10_000.0 - number))
    kept.wall = 14_000.0
    kept.run(Logs(max_age=max_age), lambda: True)
    assert archived < kept.log.stat().st_size
    assert _archived(kept) == (kept.log.stat().st_size if is_old else archived)


def test_what_is_written_after_a_long_silence_is_not_old_at_once(kept: _Kept) -> None:
    until(kept.has_written)
    keeper = kept.run(Logs(max_age=100.0), lambda: True, step=0.0)
    keeper.look(200.0, 0.0)
    assert _archived(kept) == kept.log.stat().st_size
    keeper.look(900.0, 0.0)
    before = _archived(kept)
    with kept.log.open("ab") as log:
        log.write(b"news\n")
    keeper.look(901.0, 0.0)
    assert _archived(kept) == before
    keeper.look(1001.0, 0.0)
    assert _archived(kept) == before + 5


def test_a_log_of_the_keepers_own_is_kept_as_a_units_is(tmp_path: Path) -> None:
    log = tmp_path / ".own/00000001.log"
    log.parent.mkdir()
    log.write_bytes(b"".join(b"%d\n" % number for number in range(4000)))
    keeper = LogKeeper({}, tmp_path, lambda _: Logs(max_size=2000, keep=8000), lambda *_: None, own={".own": log})
    for now in range(20):
        keeper.look(now, 0.0)
    spans = [span for span in archives.of_log(log) if span.is_archive]
    assert spans
    assert sum(span.path(log.parent).stat().st_size for span in spans) <= 8000
    assert Output(log).last(1).endswith(b"3999\n")
    keeper.end()
    assert log.stat().st_blocks * 512 < 1 << 16


def test_a_units_output_is_bounded_and_the_oldest_goes_first(kept: _Kept) -> None:
    until(kept.has_written)
    kept.run(Logs(max_size=2000), lambda: kept.log.stat().st_size - _archived(kept) < 2000)
    keeper = kept.run(Logs(max_size=2000, keep=8000), lambda: True)
    lines, lost = kept.read()
    assert lines == [b"%d" % number for number in range(4000 - len(lines), 4000)]
    assert 0 < len(lines) < 4000
    assert (lost, keeper.lost("u"), kept.notes) == (0, 0, [])
    assert sum(span.path(kept.folder).stat().st_size for span in archives.in_folder(kept.folder)) <= 8000


def test_the_logs_of_earlier_starts_count_and_go_first(kept: _Kept) -> None:
    until(kept.has_written)
    earlier = kept.log.with_name("00000000.log")
    earlier.write_bytes(b"x" * 100_000)
    kept.run(Logs(max_size=2000, keep=50_000), lambda: not earlier.exists())
    kept.run(Logs(max_size=2000, keep=50_000), lambda: kept.log.stat().st_size - _archived(kept) < 2000)
    assert kept.read()[0][-1] == b"3999"


def test_what_an_earlier_keeper_left_half_done_is_finished(kept: _Kept) -> None:
    until(kept.has_written)
    half = kept.folder / "00000001.0-100.gz.new"
    half.write_bytes(b"half")
    kept.run(Logs(), lambda: not half.exists())
    assert kept.read()[1] == 0


def test_what_was_set_aside_for_a_log_is_given_back_when_its_unit_is_gone(kept: _Kept) -> None:
    until(kept.has_written)
    keeper = kept.run(Logs(), lambda: kept.log.stat().st_blocks * 512 > 1 << 16)
    kept.units.clear()
    written = kept.log.stat().st_mtime_ns
    keeper.look(1e6, 0.0)
    assert kept.log.stat().st_blocks * 512 < 1 << 16
    assert kept.log.stat().st_mtime_ns == written
    assert kept.read()[0][-1] == b"3999"


_STEADY = """
import os, sys, time
for number in range(40_000):
    os.write(1, b"line %d\\n" % number)
    if number % 100 == 0:
        time.sleep(0.005)
os.write(1, b"end\\n")
time.sleep(1000)
"""


def test_on_a_full_disk_no_write_fails_and_what_is_given_up_is_counted_and_told(small: Path) -> None:
    kept = _Kept(small / "u", f"exec {sys.executable} -c '{_STEADY}'")
    try:
        kept.run(Logs(max_size=30_000), lambda: _archived(kept) > 0)
        fill(small)
        keeper = kept.run(Logs(max_size=30_000), lambda: kept.log.read_bytes().endswith(b"end\n"))
        assert kept.child.poll() is None
        lines, lost = kept.read()
        assert lines == [*(b"line %d" % number for number in range(40_001 - len(lines), 40_000)), b"end"]
        assert lost > 0
        assert lost + sum(len(line) + 1 for line in lines) == kept.log.stat().st_size
        assert keeper.lost("u") == lost
        assert ("log", "the disk is full: old output is given up for new") in kept.notes
        assert any(what == "log-lost" for what, _ in kept.notes)
    finally:
        kept.close()
