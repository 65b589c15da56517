"""The supervisor as its guardian's ward: it owes a word for each zombie, and takes a dead guardian's place."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from orchestrator.errors import RefusedError, UsageError
from orchestrator.supervise.guardian import become, later
from orchestrator.supervise.launch import command

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.control.server import Connection, Handler
    from orchestrator.deployment.homes import StackHome
    from orchestrator.supervise.guardian import Guarded
    from orchestrator.supervise.operations import Operations
    from orchestrator.supervise.supervisor import Supervisor

_IDLE_AGAIN: Final = 0.1
"""Seconds between two looks whether an operation is still under way."""


class Ward:
    """One supervisor's side of the two pipes to its guardian."""

    def __init__(
        self,
        guarded: Guarded,
        arguments: list[str],
        supervisor: Supervisor,
        operations: Operations,
        terminate: Callable[[], None],
    ) -> None:
        """Prepare; `arguments` are those it was started with, `terminate` does what SIGTERM asks for."""
        self._guarded = guarded
        self._arguments = arguments
        self._supervisor = supervisor
        self._operations = operations
        self._terminate = terminate
        self._loop = asyncio.get_running_loop()
        self._rest = b""
        self._orphaned = False
        self._renewal: list[str] | None = None
        self._handed_over = False
        supervisor.guarded_by(guarded.pid, self.release)
        operations.brought_in = self._begun

    def begin(self) -> None:
        """Listen, and say that the control socket does."""
        self._loop.add_reader(self._guarded.hears, self._heard)
        self._say("ready")

    def _begun(self) -> None:
        self._arguments = later(self._arguments)
        self._say("begun")

    def methods(self) -> dict[str, Handler]:
        """Return the methods by name, as they are called on the socket."""
        return {"upgrade": self.upgrade, "hand_over": self.hand_over}

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

    async def upgrade(self, _: Connection, params: dict[str, Any]) -> dict[str, Any]:
        """Let the guardian become another program, which starts a supervisor of its own; no unit is touched.

        Params: `python` and `boot`, absolute paths. Raises RefusedError while an `up` or a `down` is under way.
        """
        words = [params.get("python"), params.get("boot")]
        if not all(isinstance(word, str) and word.startswith("/") and "\n" not in word for word in words):
            raise UsageError("upgrade needs the absolute paths of python and boot")
        self._refuse_meanwhile()
        self._supervisor.note(None, "upgrade", f"by {words[0]}")
        self._renewal = [str(word) for word in words]
        self._operations.leave.set()
        return {"pid": os.getpid()}

    async def hand_over(self, _: Connection, params: dict[str, Any]) -> dict[str, Any]:
        """Leave, and the guardian with us, for a supervisor that somebody else starts; no unit is touched.

        Params: `to`, who that is. Raises RefusedError while an `up` or a `down` is under way.
        """
        to = params.get("to")
        if not isinstance(to, str):
            raise UsageError("hand_over needs to know to whom")
        self._refuse_meanwhile()
        self._supervisor.note(None, "handed-over", f"to {to}")
        self._handed_over = True
        self._operations.leave.set()
        return {"pid": os.getpid()}

    def _refuse_meanwhile(self) -> None:
        if not self._operations.is_idle:
            raise RefusedError(f"{self._supervisor.stack} is being changed", hint="wait for the other command to end")

    @property
    def _guards_next(self) -> bool:
        """Whether we become the guardian: there is none, and the stack still runs."""
        return self._orphaned and self._supervisor.is_needed

    @property
    def is_followed(self) -> bool:
        """Tell whether another supervisor comes after this one, for the units that run or for none."""
        return self._handed_over or self._renewal is not None or self._guards_next

    def _take_over(self) -> None:
        """Leave, to become the guardian, once nobody is being served: that one starts the next supervisor."""
        if not self._operations.is_idle:
            self._loop.call_later(_IDLE_AGAIN, self._take_over)
            return
        self._orphaned = True
        self._operations.leave.set()

    def end(self, home: StackHome) -> None:
        """Become the guardian where there is none and the stack still runs; otherwise return, and leave."""
        if self._guards_next:
            become(command(home, *self._arguments[1:]))
        if self._renewal is not None:
            self._say("\0".join(["renew", *self._renewal]))
