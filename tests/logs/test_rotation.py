from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from orchestrator.logs import archives, rotation
from orchestrator.logs.output import Output
from tests.children import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LINES = 60_000
_WRITER = f"""
import os, sys
log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
for first in range(0, {_LINES}, 20):
    os.write(log, b"".join(b"line %d\\n" % number for number in range(first, first + 20)))
"""
_KILLED_AFTER = """
import os, signal, sys
from pathlib import Path
from orchestrator.logs import rotation
for step in rotation.rotate(Path(sys.argv[1]), most=1000):
    if step == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def _written(log: Path, count: int) -> bytes:
    data = b"".join(b"%d\n" % number for number in range(count))
    log.write_bytes(data)
    return data


def _read(log: Path) -> bytes:
    output, offset = Output(log), 0
    parts: list[bytes] = []
    while True:
        offset, data = output.read(offset, 777)
        if not data:
            assert output.lost == 0
            return b"".join(parts)
        parts.append(data)


def _rotate(log: Path, most: int = 1000) -> list[str]:
    return list(rotation.rotate(log, most=most))


def test_what_was_rotated_is_read_as_if_nothing_had_happened(tmp_path: Path) -> None:
    log = tmp_path / "00000001.log"
    data = _written(log, 1000)
    before = log.stat()
    for _ in range(3):
        assert _rotate(log) == ["copied", "named", "punched"]
    assert _read(log) == data
    assert log.stat().st_size == before.st_size
    assert log.read_bytes()[:2990] == bytes(2990)
    assert len(archives.of_log(log)) == 3


def test_an_archive_ends_with_a_line(tmp_path: Path) -> None:
    log = tmp_path / "00000001.log"
    data = _written(log, 1000)
    _rotate(log, 1001)
    (archive,) = archives.of_log(log)
    assert archive.begin == 0
    assert archive.end <= 1001
    assert data[archive.end - 1 : archive.end] == b"\n"


def test_the_last_lines_are_found_over_archives(tmp_path: Path) -> None:
    log = tmp_path / "00000001.log"
    data = _written(log, 400)
    _rotate(log)
    _rotate(log, 10_000)
    assert Output(log).last(5).splitlines()[-5:] == data.splitlines()[-5:]
    assert Output(log).last(10_000) == data


@pytest.mark.parametrize("step", ["copied", "named", "punched"])
def test_a_kill_after_any_step_loses_and_doubles_nothing(tmp_path: Path, step: str) -> None:
    log = tmp_path / "00000001.log"
    data = _written(log, 1000)
    killed = subprocess.run([sys.executable, "-c", _KILLED_AFTER, log, step], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert _read(log) == data
    rotation.repair(tmp_path)
    assert _read(log) == data
    assert not list(tmp_path.glob("*.new"))
    _rotate(log)
    assert _read(log) == data


def test_repair_frees_what_a_kill_before_the_punch_left(tmp_path: Path) -> None:
    log = tmp_path / "00000001.log"
    _written(log, 100_000)
    steps = rotation.rotate(log, most=400_000)
    assert list(itertools.islice(steps, 2)) == ["copied", "named"]
    del steps
    full = log.stat().st_blocks
    rotation.repair(tmp_path)
    assert log.stat().st_blocks < full // 2


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that writes numbered lines into a log as fast as it can."""
    process = subprocess.Popen([sys.executable, "-c", _WRITER, tmp_path / "00000001.log"])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_with_a_writer_at_full_speed_every_line_is_read_exactly_once(
    tmp_path: Path, writer: subprocess.Popen[bytes]
) -> None:
    log = tmp_path / "00000001.log"
    until(log.exists)
    output, offset, data = Output(log), 0, b""
    for turn in itertools.count():
        done = writer.poll() is not None
        if turn % 3 == 0:
            steps = rotation.rotate(log, most=20_000)
            for _ in itertools.islice(steps, turn % 4):
                pass
            del steps  # as far as a crash let it come
            rotation.repair(tmp_path)
        offset, more = output.read(offset)
        data += more
        if done and not more:
            break
    assert data.splitlines() == [b"line %d" % number for number in range(_LINES)]
    assert output.lost == 0
    assert archives.of_log(log)


def test_what_is_dropped_on_a_full_disk_is_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    log = tmp_path / "00000001.log"
    data = _written(log, 50_000)
    lost = rotation.drop(log, keep=1000)
    assert 0 < len(data) - lost <= 1010
    output = Output(log)
    offset, kept = output.read(0)
    assert kept == data[lost:]
    assert offset == len(data)
    assert output.lost == lost
    assert rotation.drop(log, keep=1000) == 0


def test_an_archive_removed_to_bound_the_total_is_a_gap_that_is_counted(tmp_path: Path) -> None:
    log = tmp_path / "00000001.log"
    data = _written(log, 1000)
    _rotate(log)
    _rotate(log)
    first, second = archives.of_log(log)
    first.path(tmp_path).unlink()
    output = Output(log)
    offset, kept = output.read(0)
    assert kept == data[second.begin : second.end]
    assert (offset, output.lost) == (second.end, first.end)


def test_a_reserve_keeps_the_length_and_takes_the_room(tmp_path: Path) -> None:
    log = tmp_path / "00000001.log"
    _written(log, 10)
    before = log.stat()
    if not rotation.reserve(log, 1 << 20):
        assert log.stat().st_blocks == before.st_blocks
        return
    assert log.stat().st_size == before.st_size
    assert log.stat().st_blocks * 512 >= 1 << 20
    with log.open("ab") as file:
        file.write(b"more\n")
    assert _read(log).endswith(b"9\nmore\n")


def test_an_archive_is_its_owners_alone(tmp_path: Path) -> None:
    log = tmp_path / "00000001.log"
    _written(log, 1000)
    _rotate(log)
    (archive,) = archives.of_log(log)
    assert archive.path(tmp_path).stat().st_mode & 0o777 == 0o600


_KILLED_IN = """
import os, signal, sys
from pathlib import Path
from orchestrator.logs import archives, rotation
def kill(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
log, where = Path(sys.argv[1]), sys.argv[2]
if where == "drop":
    rotation.punch = kill
    rotation.drop(log, keep=500)
else:
    Path.unlink = kill
    archives.remove(log.parent, archives.of_log(log)[0], early=False)
"""


@pytest.mark.parametrize("where", ["drop", "remove"])
def test_a_kill_while_output_is_given_up_leaves_whole_lines_each_once(tmp_path: Path, where: str) -> None:
    log = tmp_path / "00000001.log"
    data = _written(log, 1000)
    _rotate(log)
    killed = subprocess.run([sys.executable, "-c", _KILLED_IN, log, where], check=False)
    assert killed.returncode == -signal.SIGKILL
    for _ in range(2):
        output, offset, read = Output(log), 0, b""
        while True:
            offset, more = output.read(offset)
            read += more
            if not more:
                break
        lines = read.splitlines()
        assert set(lines) <= set(data.splitlines())
        assert lines == sorted(set(lines), key=int)
        assert output.lost + output.aged + len(read) == len(data)
        rotation.repair(tmp_path)


def test_marks_of_what_is_gone_are_one_however_often_something_goes(tmp_path: Path) -> None:
    log = tmp_path / "00000001.log"
    data = b""
    for number in range(20):
        with log.open("ab") as file:
            more = b"".join(b"line %d of %d\n" % (line, number) for line in range(200))
            file.write(more)
            data += more
        if number % 2:
            rotation.drop(log, keep=300)
        else:
            _rotate(log, 1 << 20)
    for archive in [span for span in archives.of_log(log) if span.is_archive][:-1]:
        archives.remove(tmp_path, archive, early=False)
    marks = [span for span in archives.of_log(log) if not span.is_archive]
    assert [(mark.begin == 0) for mark in marks] == [True, False]
    output, offset, read = Output(log), 0, b""
    while True:
        offset, more = output.read(offset)
        read += more
        if not more:
            break
    assert data.endswith(read[-300:])
    assert output.lost == archives.lost_in(tmp_path) == sum(mark.lost or 0 for mark in marks)
    assert output.lost + output.aged + len(read) == len(data)


def test_a_hole_that_nothing_marks_is_skipped_and_counted(tmp_path: Path) -> None:
    log = tmp_path / "00000001.log"
    data = _written(log, 50_000)
    _rotate(log, 100_000)
    (archive,) = archives.of_log(log)
    archive.path(tmp_path).unlink()
    rotation.drop(log, keep=1000)
    output = Output(log)
    offset, read = output.read(0)
    assert (offset, output.lost + len(read)) == (len(data), len(data))
