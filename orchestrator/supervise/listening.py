"""A client of the control socket that is told every event."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestrator.control.server import Connection
    from orchestrator.supervise.supervisor import Supervisor


BEAT: Final = 0.25
"""Seconds between two signs of life to a client that would otherwise give up on us."""


def listen(supervisor: Supervisor, connection: Connection) -> Callable[[dict[str, Any]], None]:
    """Tell a client every event from now on, until it hangs up; returns the listener."""

    def heard(event: dict[str, Any]) -> None:
        if connection.closed.is_set():
            supervisor.listeners.discard(heard)
        else:
            connection.notify("event", event)

    supervisor.listeners.add(heard)
    return heard


@contextmanager
def listening(supervisor: Supervisor, connection: Connection) -> Iterator[None]:
    """Tell a client every event as long as this lasts."""
    heard = listen(supervisor, connection)
    try:
        yield
    finally:
        supervisor.listeners.discard(heard)


@contextmanager
def beating(connection: Connection) -> Iterator[None]:
    """Give a client a sign of life again and again as long as this lasts."""

    async def beat() -> None:
        while True:
            connection.notify("alive", {})
            await asyncio.sleep(BEAT)

    task = asyncio.get_running_loop().create_task(beat())
    try:
        yield
    finally:
        task.cancel()
