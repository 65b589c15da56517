from __future__ import annotations

import os
import select

from orchestrator.supervise.stderr import spared


def test_a_line_is_written_at_once() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb"):
        print("first\nsecönd", file=spared(writing))
        assert os.read(reading, 100) == "first\nsecönd\n".encode()
        os.close(writing)


def test_a_full_disk_is_no_error() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    print("x" * 100_000, file=spared(full), flush=True)
    os.close(full)


def test_a_pipe_that_nobody_has_open_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    print("x", file=spared(writing), flush=True)
    os.close(writing)


def test_a_pipe_that_nobody_reads_is_not_waited_for() -> None:
    reading, writing = os.pipe()
    file = spared(writing)
    for _ in range(100):
        print("x" * 10_000, file=file, flush=True)
    assert not select.select([], [writing], [], 0)[1]
    assert os.read(reading, 1).startswith(b"x")
    os.close(reading)
    os.close(writing)
