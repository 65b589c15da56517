"""The kill switch: latch first, then stop, whatever state the supervisors are in.

A stack's supervisor is asked to stop it. One that is hung or stopped is killed after `PATIENCE`: its guardian's next
one reads the latch, stops everything and starts nothing. Where there is no guardian either, a supervisor is started
that does the same; and where none can be, the processes are ended from here.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from orchestrator.engine.connection import connect, wait_until_left
from orchestrator.errors import HftstackError, InterruptedByUserError
from orchestrator.supervise import halt as latches
from orchestrator.supervise import lock
from orchestrator.supervise import process as processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from orchestrator.control.client import Client
    from orchestrator.deployment.homes import Home, StackHome
    from orchestrator.supervise.halt import Halt

PATIENCE: Final = 3.0
"""Seconds without a sign of life after which a supervisor counts as hung; one that stops units gives four a second."""

_TRIES: Final = 3
_GONE_WITHIN: Final = 2.0
_LAUNCHED_WITHIN: Final = 10.0
_LOOK: Final = 0.01

Result = dict[str, Any]


@dataclass
class Hearer:
    """Hears how a halt goes, from several threads: events of a stack's supervisor, words, and its result."""

    event: Callable[[str, dict[str, Any]], None] = field(default=lambda _, __: None)
    word: Callable[[str, str], None] = field(default=lambda _, __: None)
    result: Callable[[str, Result], None] = field(default=lambda _, __: None)


def latch(home: Home, stack: StackHome | None, reason: str, user: str) -> Halt:
    """Latch all stacks of a home, or one. Raises LatchError, RefusedError."""
    if stack is None:
        home.prepare()
        return latches.latch(home, reason, user)
    return latches.latch(stack, reason, user)


def stop(
    home: Home, stack: StackHome | None, why: str, *, environ: Mapping[str, str], hurry: bool = False, hearer: Hearer
) -> dict[str, Result]:
    """Stop what is latched, all stacks at once, each in its order. Returns the result of `down` by stack.

    Args:
        home: the user's home.
        stack: the stack that is meant; None for all.
        why: what a supervisor is told where no latch could be written.
        environ: the caller's environment, for supervisors that have to be started.
        hurry: do not wait for bots.
        hearer: hears how it goes.

    Raises:
        InterruptedByUserError: at Ctrl-C; the latch holds, and supervisors go on stopping.
    """
    meant = [stack] if stack is not None else list(_stacks(home))
    results: dict[str, Result] = {}

    def run(one: StackHome) -> None:
        try:
            result = _Halting(one, why, environ, hurry=hurry, hearer=hearer).run()
        except Exception as error:  # noqa: BLE001 - the other stacks are stopped, and this one is known not to be
            result = {"stopped": [], "units": [], "leftovers": {"?": f"{type(error).__name__}: {error}"}}
        if result is not None:
            results[one.name] = result
            hearer.result(one.name, result)

    threads = [threading.Thread(target=run, args=(one,), daemon=True) for one in meant]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        hint = "hftstack status shows how far it is; the same halt again, with --now, hurries it"
        raise InterruptedByUserError("halted, and supervisors go on stopping", hint=hint) from None
    return results


def record(home: Home, stack: StackHome | None, what: str, text: str, at: int, *, reason: str, user: str) -> None:
    """Write to the journal of each stack that is meant what its user did; what cannot be written is not.

    `at` is nanoseconds since the epoch.
    """
    from orchestrator.supervise.event import Event  # noqa: PLC0415 - when all is stopped
    from orchestrator.supervise.journal import append  # noqa: PLC0415 - sqlite

    for one in [stack] if stack is not None else map(home.stack, home.stacks()):
        with suppress(OSError, sqlite3.Error):
            append(one.journal, Event(at, None, what, text, None, {"user": user, "reason": reason}))


def _stacks(home: Home) -> Iterator[StackHome]:
    """Yield the stacks of which something runs, also those whose files are lost."""
    marked = {marker.removeprefix(home.marker).partition("/")[0] for marker in processes.members(home.marker).values()}
    for name in sorted({*home.stacks(), *marked}):
        with suppress(HftstackError):
            yield home.stack(name)


class _Halting:
    """The halt of one stack."""

    def __init__(self, home: StackHome, why: str, environ: Mapping[str, str], *, hurry: bool, hearer: Hearer) -> None:
        self._home = home
        self._why = why
        self._environ = environ
        self._hurry = hurry
        self._hearer = hearer

    def run(self) -> Result | None:
        """Return the result of `down`; None when nothing of it ran."""
        result = self._by_supervisor()
        if result is None and not self._remains():
            return None
        if result is None:
            result = self._by_another()
        if result is not None and not self._remains():
            return result
        from orchestrator.engine import ending  # noqa: PLC0415 - the last resort only

        self._say("its processes are ended from here, by records and markers")
        ended = ending.end(self._home, self._why, hurry=self._hurry, told=self._say)
        return ended if result is None else _joined(result, ended)

    def _by_supervisor(self) -> Result | None:
        """Let the supervisor do it, or the next one when this one is hung; None when there is none in the end."""
        for last in range(_TRIES):
            try:
                client = connect(self._home, timeout=PATIENCE)
                result = None if client is None else self._asked(client)
            except HftstackError as error:
                if not _is_guarded(self._home):
                    continue
                self._say(f"its supervisor does not do it ({error.message}): killed")
                _kill(self._home, guardian=last > 0 or lock.holder(self._home.lock) is None)
            else:
                _see_off(self._home)
                return result
        _kill(self._home, guardian=True)
        return None

    def _asked(self, client: Client) -> Result:
        with client:
            result: Result = client.call("halt", {"hurry": self._hurry, "why": self._why}, heard=self._hear)
            wait_until_left(client, timeout=PATIENCE)
        return result

    def _by_another(self) -> Result | None:
        """Start a supervisor, which knows the order and the hooks, and finds the latch; None when none comes."""
        from orchestrator.supervise import launch  # noqa: PLC0415 - subprocess, for a stack without a supervisor only

        self._say("it has no supervisor: another one is started to stop it in order")
        try:
            self._home.prepare()
            launch.launch(self._home, self._environ, hold=True, within=_LAUNCHED_WITHIN)
        except (HftstackError, OSError) as error:
            self._say(f"no supervisor can be started: {error}")
            _kill(self._home, guardian=True)
            return None
        return self._by_supervisor()

    def _hear(self, method: str, params: dict[str, Any]) -> None:
        if method == "event":
            self._hearer.event(self._home.name, params)

    def _say(self, text: str) -> None:
        self._hearer.word(self._home.name, text)

    def _remains(self) -> bool:
        from orchestrator.observe.unsupervised import remains  # noqa: PLC0415 - 20 ms

        return remains(self._home)


def _joined(first: Result, last: Result) -> Result:
    names = {*last["stopped"]}
    return {
        "stopped": [*(name for name in first["stopped"] if name not in names), *last["stopped"]],
        "units": [*(unit for unit in first["units"] if unit["name"] not in names), *last["units"]],
        "leftovers": last["leftovers"],
    }


def _is_guarded(home: StackHome) -> bool:
    return lock.holder(home.lock) is not None or lock.holder(home.guardian_lock) is not None


def _see_off(home: StackHome) -> None:
    """Return when a supervisor that has stopped everything and its guardian have left, or have been killed for it."""
    until = time.monotonic() + _GONE_WITHIN
    while _is_guarded(home):
        if time.monotonic() >= until:
            _kill(home, guardian=True)
            return
        time.sleep(_LOOK)


def _kill(home: StackHome, *, guardian: bool) -> None:
    """Kill a stack's supervisor by pid and start time, before it its guardian, and return when they are gone."""
    for path in (home.guardian_lock, home.lock) if guardian else (home.lock,):
        pid = lock.holder(path)
        who = processes.present([pid]) if pid else []
        if lock.holder(path) == pid and pid != os.getpid():
            processes.signal_all(who, signal.SIGKILL)
        until = time.monotonic() + _GONE_WITHIN
        while who and processes.present([who[0].pid]) == who and time.monotonic() < until:
            time.sleep(_LOOK)
