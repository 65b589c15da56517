"""A client of the control socket that is told every event."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestrator.control.server import Connection
    from orchestrator.supervise.supervisor import Supervisor


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
