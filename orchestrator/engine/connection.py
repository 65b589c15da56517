"""The supervisor of a stack: reached where it listens, started where there is none."""

from __future__ import annotations

import os
import select
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from orchestrator.control.client import Client, NotSupervisedError
from orchestrator.errors import HftstackError, InterruptedByUserError, RefusedError
from orchestrator.supervise import lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from orchestrator.deployment.homes import StackHome

    Heard = Callable[[dict[str, Any]], None]

Answer = TypeVar("Answer")

_BETWEEN: Final = 0.005
_SUCCESSION: Final = 1.0
"""Seconds in which the next supervisor shows itself; while a guardian becomes a new program nobody holds a lock."""

ATTEMPTS: Final = 5
"""Supervisors that are started or asked in a row when each leaves before it has done anything."""

_RUNTIME_DIRS: Final = Path("/run/user")
"""Where logind makes a user's (pam_systemd(8)); a shell that was not logged in through it knows nothing of that."""


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
            if lock.holder(stack.lock) is None and lock.holder(stack.guardian_lock) is None:
                return None
            if time.monotonic() > until:
                raise _unreachable(stack) from None
        time.sleep(_BETWEEN)


def _unreachable(stack: StackHome) -> RefusedError:
    pid = lock.holder(stack.lock)
    logged_in = _RUNTIME_DIRS / str(os.geteuid())
    if (logged_in / "hftstack" / stack.name / stack.socket.name).exists():
        return RefusedError(
            f"{stack.name} is supervised by pid {pid}, whose socket is in {logged_in}, not where this shell looks",
            where=str(stack.socket),
            hint=f"export XDG_RUNTIME_DIR={logged_in}",
        )
    return RefusedError(
        f"{stack.name} is supervised by pid {pid}, which cannot be reached: its socket is gone or it hangs",
        where=str(stack.socket),
        hint=f"kill -TERM {pid} stops the stack in order; kill -KILL {pid} leaves it running for `up`",
    )


def reach(stack: StackHome, *, timeout: float = 5.0) -> Client:
    """Return a connection to the stack's supervisor. Raises what `connect` does, and NotSupervisedError."""
    client = connect(stack, timeout=timeout)
    if client is None:
        raise unsupervised(stack)
    return client


def unsupervised(stack: StackHome) -> NotSupervisedError:
    """Return the error that a stack has no supervisor: whether it runs, and what to do."""
    from orchestrator.observe.selection import deployed_file  # noqa: PLC0415 - for a stack without a supervisor only
    from orchestrator.observe.unsupervised import remains  # noqa: PLC0415

    up = f"hftstack up {deployed_file(stack) or 'FILE'}"
    if remains(stack):
        return NotSupervisedError(f"{stack.name} runs without a supervisor", hint=f"{up} takes it over")
    return NotSupervisedError(f"{stack.name} is not running", hint=f"{up} starts it")


def launch(stack: StackHome, environ: Mapping[str, str], *, timeout: float = 5.0) -> Client:
    """Start a supervisor that starts nothing by itself, and return a connection to it.

    One that leaves at once, for its guardian was killed, is followed by another one. Raises HftstackError when each
    leaves.
    """
    from orchestrator.supervise import launch as launching  # noqa: PLC0415 - subprocess, which `status` need not pay

    for _ in range(ATTEMPTS):
        launching.launch(stack, environ, hold=True)
        client = connect(stack, timeout=timeout)
        if client is not None:
            return client
    raise HftstackError("the supervisor left at once", where=str(stack.supervisor_log))


@contextmanager
def during(stack: StackHome) -> Iterator[None]:
    """Say of a supervisor that leaves in the midst of what is asked whether another one goes on with it."""
    try:
        yield
    except NotSupervisedError as error:
        pid = _successor(stack)
        if pid is None:
            raise
        raise NotSupervisedError(
            f"the supervisor went away meanwhile; the next one, pid {pid}, goes on",
            hint="hftstack status shows how far it is",
        ) from error


def _successor(stack: StackHome) -> int | None:
    """Return the pid of the supervisor that follows one that has left, None when none does."""
    until = time.monotonic() + _SUCCESSION
    while time.monotonic() < until:
        try:
            client = connect(stack)
        except HftstackError:
            return None
        if client is not None:
            with client:
                return client.pid
        time.sleep(_BETWEEN)
    return None


def asked(ask: Callable[[Heard], Answer], heard: Heard) -> Answer:
    """Return what a supervisor answers to `ask`, which is asked anew when that one leaves before it has said a word.

    It had not taken it up: its guardian was killed, and it leaves or takes its place. Or its successor knows of it.
    Raises what `ask` does.
    """
    words = 0

    def hear(event: dict[str, Any]) -> None:
        nonlocal words
        words += 1
        heard(event)

    for _ in range(ATTEMPTS - 1):
        try:
            return ask(hear)
        except NotSupervisedError:
            if words:
                raise
    return ask(hear)


def call_or_undo(
    client: Client,
    method: str,
    params: dict[str, Any],
    *,
    undo: str,
    verb: str,
    heard: Heard,
    interrupted: Callable[[], None],
) -> dict[str, Any]:
    """Call what may take long; at Ctrl-C call `undo`, which stops what the call of `verb` had started.

    `interrupted` is called before that. Raises what the supervisor raises, and then InterruptedByUserError.
    """
    try:
        result: dict[str, Any] = client.call(method, params, heard=lambda _, event: heard(event), patient=True)
    except KeyboardInterrupt:
        interrupted()
        stopped = ", ".join(client.call(undo, patient=True)["stopped"]) or "nothing"
        raise InterruptedByUserError(f"stopped what this `{verb}` had started: {stopped}") from None
    return result


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
