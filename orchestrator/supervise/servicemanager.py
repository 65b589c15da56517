"""Telling systemd how the stack does: READY, WATCHDOG and a line of status (sd_notify(3)).

The supervisor speaks, whose parent, the guardian, is the service's main process: NotifyAccess=all in its unit.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from orchestrator.supervise.unit import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.supervise.graph import Graph

SOCKET: Final = "NOTIFY_SOCKET"
WATCHDOG: Final = "WATCHDOG_USEC"
_EVERY: Final = 5.0


class ServiceManager:
    """The socket of the service manager that started us; without one, nothing is said."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get(SOCKET, "").replace("@", "\0", 1)
        usec = environ.get(WATCHDOG, "")
        self._watchdog = int(usec) / 1e6 if usec.isdecimal() and int(usec) > 0 else None

    @property
    def listens(self) -> bool:
        """Tell whether a service manager waits for word."""
        return bool(self._address)

    def say(self, *assignments: str) -> None:
        """Send one message. A manager that does not take it is not waited for."""
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(0)
            sender.sendto("\n".join(assignments).encode(), self._address)

    async def keep(self, status: Callable[[], str]) -> None:
        """Say that the loop turns, and how the stack does, until cancelled."""
        if not self._address:
            return
        every = _EVERY if self._watchdog is None else min(_EVERY, self._watchdog / 3)
        told = None
        while True:
            text = status()
            self.say("WATCHDOG=1", *([] if text == told else [f"STATUS={text}"]))
            told = text
            await asyncio.sleep(every)


def summary(graph: Graph) -> str:
    """Return the units in a line: `3 up`, `2 up, 1 failed: mm`."""
    states = {name: unit.state for name, unit in graph.units.items()}
    counts = Counter(states.values())
    parts = [f"{counts[state]} {state.value}" for state in State if counts[state] and state is not State.FAILED]
    failed = [name for name, state in states.items() if state is State.FAILED]
    if failed:
        parts.append(f"{len(failed)} failed: {', '.join(failed)}")
    return ", ".join(parts) or "no units"
