from __future__ import annotations

import asyncio
import subprocess
from typing import TYPE_CHECKING

import pytest

from orchestrator.observe.output import Output
from orchestrator.supervise import archives
from orchestrator.supervise.logkeeper import Bounds, LogKeeper
from orchestrator.supervise.process import Process, identity
from tests.children import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_SCRIPT = "n=0; while [ $n -lt 4000 ]; do echo $n; n=$((n+1)); done; exec sleep 1000"


class _Kept:
    """A process that writes 4000 numbered lines into a log, under a keeper."""

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

    def run(self, bounds: Bounds, holds: Callable[[], bool]) -> None:
        """Keep the log until a condition holds."""

        def note(unit: str | None, what: str, text: str) -> None:
            assert unit == "u"
            self.notes.append((what, text))

        async def keep() -> None:
            task = asyncio.create_task(LogKeeper({"u": self.process}, note, bounds).keep())
            await asyncio.to_thread(until, holds)
            task.cancel()

        asyncio.run(keep())

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
    kept.run(Bounds(size=2000, reserve=4096), lambda: kept.has_written() and _archived(kept) > 16_000)
    assert kept.read() == ([b"%d" % number for number in range(4000)], 0)
    assert kept.notes == []
    assert kept.child.poll() is None


def test_a_log_is_rotated_by_age(kept: _Kept) -> None:
    until(kept.has_written)
    kept.run(Bounds(age=0.0), lambda: _archived(kept) == kept.log.stat().st_size)
    assert kept.read() == ([b"%d" % number for number in range(4000)], 0)


def test_the_archives_of_a_unit_are_bounded_and_the_oldest_go_first(kept: _Kept) -> None:
    until(kept.has_written)

    def is_bounded() -> bool:
        found = archives.in_folder(kept.folder)
        packed = sum(
            archive.path(kept.folder).stat().st_size for archive in found if archive.path(kept.folder).exists()
        )
        return kept.log.stat().st_size - _archived(kept) < 2000 and packed <= 3000

    kept.run(Bounds(size=2000, total=3000, reserve=4096), is_bounded)
    lines, lost = kept.read()
    assert lines[-1] == b"3999"
    assert lost == sum(len(f"{number}\n") for number in range(4000 - len(lines)))


def test_what_an_earlier_keeper_left_half_done_is_finished(kept: _Kept) -> None:
    until(kept.has_written)
    half = kept.folder / "00000001.0-100.gz.new"
    half.write_bytes(b"half")
    kept.run(Bounds(), lambda: not half.exists())
    assert kept.read()[1] == 0
