from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from orchestrator.supervise.bucket import CAPACITY, EVERY, Buckets, is_local

if TYPE_CHECKING:
    from pathlib import Path

HOST = "stream.example"


class _Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def _drained(folder: Path, clock: _Clock) -> Buckets:
    buckets = Buckets(folder, clock)
    for _ in range(int(CAPACITY)):
        assert buckets.take(HOST) == 0.0
    return buckets


def test_a_bucket_gives_what_it_holds_and_then_one_at_a_time(tmp_path: Path) -> None:
    clock = _Clock()
    buckets = _drained(tmp_path / "b", clock)
    assert buckets.take(HOST) == pytest.approx(EVERY)
    clock.now += EVERY / 2
    assert buckets.take(HOST) == pytest.approx(EVERY / 2)
    clock.now += EVERY / 2
    assert buckets.take(HOST) == 0.0
    assert buckets.take(HOST) > 0
    clock.now += 1e6
    for _ in range(int(CAPACITY)):
        assert buckets.take(HOST) == 0.0
    assert buckets.take(HOST) > 0


def test_each_host_has_its_own_and_this_machine_none(tmp_path: Path) -> None:
    buckets = _drained(tmp_path, _Clock())
    assert buckets.take("other.example") == 0.0
    for host in ("127.0.0.1", "[::1]", "localhost"):
        assert is_local(host)
        assert all(buckets.take(host) == 0.0 for _ in range(2 * int(CAPACITY)))


def test_one_that_must_not_wait_takes_the_last_token_from_those_that_can(tmp_path: Path) -> None:
    clock = _Clock()
    buckets = Buckets(tmp_path, clock)
    assert all(buckets.take(HOST, must=False) == 0.0 for _ in range(2 * int(CAPACITY)))
    assert buckets.take(HOST) == pytest.approx(EVERY)


def test_all_processes_of_a_user_share_one(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from orchestrator.supervise.bucket import Buckets\n"
        "buckets = Buckets(Path(sys.argv[1]))\n"
        "print(sum(buckets.take(sys.argv[2]) == 0.0 for _ in range(15)))"
    )
    command = [sys.executable, "-c", code, str(tmp_path), HOST]
    taken = [int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(2)]
    assert taken[0] == 15
    assert taken[1] < 15


@pytest.mark.parametrize("content", [b"", b"x", b"\xff" * 16, bytes(15)])
def test_a_damaged_bucket_is_full(tmp_path: Path, content: bytes) -> None:
    clock = _Clock()
    buckets = _drained(tmp_path, clock)
    next(tmp_path.iterdir()).write_bytes(content)
    assert buckets.take(HOST) == 0.0


def test_one_of_another_boot_is_full(tmp_path: Path) -> None:
    clock = _Clock()
    buckets = _drained(tmp_path, clock)
    clock.now = 5.0
    assert buckets.take(HOST) == 0.0


def test_nobody_waits_for_whoever_holds_the_lock(tmp_path: Path) -> None:
    buckets = Buckets(tmp_path)
    assert buckets.take(HOST) == 0.0
    holder = os.open(next(tmp_path.iterdir()), os.O_RDWR)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX)
        assert 0.0 < buckets.take(HOST) < 1.0
        assert buckets.take(HOST, must=False) == 0.0
    finally:
        os.close(holder)


def test_a_folder_that_cannot_be_had_holds_nobody_up(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert Buckets(tmp_path / "file" / "b").take(HOST) == 0.0
