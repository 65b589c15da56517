"""How a start is seen, alike under every supervisor: the started program writes its pid into a FIFO."""

from __future__ import annotations

import os
import select
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.waiting import NotSeenError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Start:
    """A program's beginning. `at` is CLOCK_MONOTONIC in seconds."""

    pid: int
    at: float


class Starts:
    """Reads the FIFO and writes the program: a shell that says its pid and becomes `sleep`."""

    def __init__(self, folder: Path) -> None:
        fifo = folder / "started"
        os.mkfifo(fifo)
        self._descriptor = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
        self._buffer = b""
        self.program = folder / "program"
        self.program.write_text(f"#!/bin/sh\necho $$ >{fifo}\nexec sleep 100000\n", encoding="utf-8")
        self.program.chmod(0o755)

    def told(self) -> list[Start]:
        """Return the starts that were told and not asked for."""
        with suppress(BlockingIOError):
            while data := os.read(self._descriptor, 1 << 16):
                self._buffer += data
        at = time.monotonic()
        *lines, self._buffer = self._buffer.split(b"\n")
        return [Start(int(line), at) for line in lines]

    def next(self, seconds: float) -> Start:
        """Return the next start, as soon as it is told. Raises NotSeenError."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self._buffer:
            if not select.select([self._descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise NotSeenError(f"no start within {seconds:g} s")
            self._buffer += os.read(self._descriptor, 4096)
        at = time.monotonic()
        line, _, self._buffer = self._buffer.partition(b"\n")
        return Start(int(line), at)
