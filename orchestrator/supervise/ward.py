"""The supervisor as its guardian's ward: it owes a word for each zombie, and takes a dead guardian's place."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from orchestrator.supervise.guardian import become
from orchestrator.supervise.launch import command

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.deployment.homes import StackHome
    from orchestrator.supervise.guardian import Guarded
    from orchestrator.supervise.operations import Operations
    from orchestrator.supervise.supervisor import Supervisor

_IDLE_AGAIN: Final = 0.1
"""Seconds between two looks whether an operation is still under way."""


class Ward:
    """One supervisor's side of the two pipes to its guardian."""

    def __init__(
        self, guarded: Guarded, supervisor: Supervisor, operations: Operations, terminate: Callable[[], None]
    ) -> None:
        """Prepare; `terminate` does what SIGTERM asks for."""
        self._guarded = guarded
        self._supervisor = supervisor
        self._operations = operations
        self._terminate = terminate
        self._loop = asyncio.get_running_loop()
        self._rest = b""
        self._orphaned = False
        supervisor.guarded_by(guarded.pid, self.release)

    def begin(self) -> None:
        """Listen, and say that the control socket does."""
        self._loop.add_reader(self._guarded.hears, self._heard)
        self._say("ready")

    def release(self, pid: int) -> None:
        """Let the guardian reap a zombie: its end has been acted upon."""
        self._say(f"reap {pid}")

    def _say(self, line: str) -> None:
        with suppress(OSError):  # a guardian that has died is noticed where it is heard
            os.write(self._guarded.says, line.encode() + b"\n")

    def _heard(self) -> None:
        try:
            data = os.read(self._guarded.hears, 1 << 16)
        except BlockingIOError:
            return
        if not data:
            self._loop.remove_reader(self._guarded.hears)
            self._supervisor.note(None, "guardian-died", "the supervisor takes its place")
            self._take_over()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            word, _, rest = line.decode().partition(" ")
            if word == "terminate":
                self._terminate()
            elif word == "zombie" and int(rest) not in self._supervisor.pids().values():
                self.release(int(rest))

    def _take_over(self) -> None:
        """Leave, to become the guardian, once nobody is being served: that one starts the next supervisor."""
        if not self._operations.is_idle:
            self._loop.call_later(_IDLE_AGAIN, self._take_over)
            return
        self._orphaned = True
        self._operations.leave.set()

    def end(self, home: StackHome) -> None:
        """Become the guardian where there is none and the stack still runs; otherwise return."""
        if self._orphaned and self._supervisor.pids():
            become(command(home))
