"""The stack that a verb is about, and its supervisor."""

from __future__ import annotations

import os
import select
import time
from typing import TYPE_CHECKING, Final

from orchestrator.control.client import Client, NotSupervisedError
from orchestrator.deployment.homes import Home, locate
from orchestrator.errors import RefusedError
from orchestrator.observe import selection
from orchestrator.supervise import lock

if TYPE_CHECKING:
    from orchestrator.deployment.homes import StackHome

_BETWEEN: Final = 0.005


def home() -> Home:
    """Return this user's home."""
    return locate(os.environ)


def find(wanted: str | None) -> StackHome:
    """Return the stack named on the command line, or the only one that runs. Raises UsageError."""
    return selection.select(home(), wanted)


def connect(stack: StackHome, *, timeout: float = 5.0) -> Client | None:
    """Return a connection to the stack's supervisor; None when it has none.

    One that is starting or leaving holds the lock and does not listen: it is waited for, at most `timeout` seconds.
    Raises RefusedError after that: its socket was removed, and a second supervisor must not be.
    """
    until = time.monotonic() + timeout
    while True:
        try:
            return Client(stack.socket, timeout=timeout)
        except NotSupervisedError:
            if lock.holder(stack.lock) is None:
                return None
            if time.monotonic() > until:
                pid = lock.holder(stack.lock)
                raise RefusedError(
                    f"{stack.name} is supervised by pid {pid}, which cannot be reached: its socket is gone or it hangs",
                    where=str(stack.socket),
                    hint=f"kill -TERM {pid} stops the stack in order; kill -KILL {pid} leaves it running for `up`",
                ) from None
        time.sleep(_BETWEEN)


def wait_until_left(client: Client, *, timeout: float = 10.0) -> None:
    """Return when the supervisor at the other end, which is leaving, has ended, or after `timeout` seconds."""
    try:
        process = os.pidfd_open(client.pid)
    except OSError:
        return
    try:
        select.select([process], [], [], timeout)
    finally:
        os.close(process)
