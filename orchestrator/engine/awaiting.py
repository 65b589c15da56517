"""Waiting for units, by the supervisor's events, also when one supervisor takes over from another."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from orchestrator.control.client import NotSupervisedError
from orchestrator.deployment.model import Kind
from orchestrator.engine import look
from orchestrator.engine.connection import connect, unsupervised
from orchestrator.errors import RefusedError, UsageError
from orchestrator.observe import selection
from orchestrator.observe.awaited import OF_CONNECTORS, Awaited, progress
from orchestrator.supervise import records

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestrator.control.client import Client
    from orchestrator.deployment.homes import StackHome
    from orchestrator.observe.awaited import Progress

PATIENCE: Final = 30.0
"""Seconds that another supervisor has to come when one went away; a guardian needs one, an operator's `up` more."""

_AGAIN: Final = 0.2


def check(home: StackHome, names: Sequence[str], awaited: Awaited) -> None:
    """Raise UsageError for a unit that the stack lacks, and for one that can never be where it is waited for."""
    deployment = records.read_deployment(home.deployment)
    kinds = {} if deployment is None else {spec.name: spec.kind for spec in deployment.units}
    selection.check_units(home.name, names, tuple(kinds))
    for name in names:
        if awaited in OF_CONNECTORS and kinds[name] is not Kind.CONNECTOR:
            raise UsageError(
                f"{name} is a {kinds[name].value}: only connectors become {awaited.value}",
                hint="wait for it --for ready",
            )


def wait(
    home: StackHome,
    names: Sequence[str],
    awaited: Awaited,
    *,
    timeout: float | None = None,
    told: Callable[[Progress], None] = lambda _: None,
    lost: Callable[[], None] = lambda: None,
) -> Progress:
    """Return when all units are there, when one will not get there, or after `timeout` seconds, None for no bound.

    Args:
        home: the stack's home.
        names: the units; none means those that `orchestrator.observe.awaited.progress` chooses.
        awaited: what is waited for.
        timeout: seconds; None waits for as long as it takes.
        told: takes each look at the units.
        lost: called when the supervisor has gone away and another one is waited for.

    Raises:
        NotSupervisedError: the stack has no supervisor, or none came back.
    """
    until = None if timeout is None else time.monotonic() + timeout
    client = connect(home)
    while client is not None:
        try:
            with client:
                return _watch(client, names, awaited, until, told)
        except NotSupervisedError:
            client = _replaced(home, until, lost)
    if awaited is Awaited.STOPPED:
        found = progress(look.status(home)["units"], names, awaited)
        if not found.missing:
            return found
    raise unsupervised(home)


def _watch(
    client: Client, names: Sequence[str], awaited: Awaited, until: float | None, told: Callable[[Progress], None]
) -> Progress:
    client.call("events")
    while True:
        found = progress(client.call("status")["units"], names, awaited)
        told(found)
        left = None if until is None else until - time.monotonic()
        if found.is_over or (left is not None and left <= 0):
            return found
        client.hear(left)


def _replaced(home: StackHome, until: float | None, lost: Callable[[], None]) -> Client | None:
    """Return a connection to the supervisor that comes next; None when the stack is down, or none came in time."""
    end = time.monotonic() + PATIENCE
    if until is not None:
        end = min(end, until)
    told = False
    while True:
        left = end - time.monotonic()
        try:
            client = connect(home, timeout=max(left, 0.0))
        except RefusedError:
            return None
        if client is not None:
            return client
        if left <= 0 or not _runs(home):
            return None
        if not told:
            told = True
            lost()
        time.sleep(min(_AGAIN, left))


def _runs(home: StackHome) -> bool:
    from orchestrator.observe.unsupervised import remains  # noqa: PLC0415 - for a stack without a supervisor only

    return remains(home)
