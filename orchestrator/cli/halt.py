"""`hftstack halt`."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import click

from orchestrator.cli import arguments, stopping, target, terminal
from orchestrator.cli import reason as why
from orchestrator.cli.verb import Verb
from orchestrator.errors import NotReachedError, RefusedError
from orchestrator.observe.table import duration


@click.command(
    "halt",
    cls=Verb,
    examples=("hftstack halt --reason 'spreads are wrong'", "hftstack halt --stack prod --reason 'see mail' --now"),
)
@why.reason
@arguments.only_stack
@click.option("--now", "hurry", is_flag=True, help="Do not wait for bots: SIGTERM and at once SIGKILL.")
def command(reason: str, stack: str | None, *, hurry: bool) -> int:
    """Stop every stack of this user and keep it down until `resume`.

    A latch goes to disk first; then all stacks are stopped, bots first, whatever their supervisors do: one that does
    not answer is killed. Each unit's `on_halt` hook runs when it is down. `up`, `start`, `restart` and every automatic
    restart refuse with exit 7, after a reboot too. Exits 5 when a unit did not end cleanly or something is left. Orders
    at the exchange are not cancelled.
    """
    from orchestrator.engine import descent, halting  # noqa: PLC0415 - help and completion need not pay
    from orchestrator.supervise.halt import LatchError, user_name  # noqa: PLC0415

    begun = time.monotonic()
    home, user, at = target.home(), user_name(os.environ), time.time_ns()
    one = None if stack is None else target.find(stack)
    what = "every stack of this user" if one is None else one.name
    trouble = None
    why = f"halted by {user}: {reason}"
    try:
        why = str(halting.latch(home, one, reason, user))
    except RefusedError as error:
        trouble = error
    if trouble is None or (isinstance(trouble, LatchError) and trouble.is_set):
        click.echo(f"{what} is halted by {user}: {reason}")
    hearer = _Hearer()
    try:
        results = halting.stop(home, one, why, environ=os.environ, hurry=hurry, hearer=hearer.hearer())
    finally:
        hearer.erase()
        halting.record(home, one, "halt", f"{what}, by {user}: {reason}", at, reason=reason, user=user)
    if not results:
        click.echo("nothing was running")
    click.echo(
        f"{'halted' if trouble is None else 'stopped'} in {duration(time.monotonic() - begun)}; {stopping.ORDERS}"
    )
    return _code(trouble, clean=all(map(descent.is_clean, results.values())))


def _code(trouble: RefusedError | None, *, clean: bool) -> int:
    if trouble is not None:
        raise trouble
    return 0 if clean else NotReachedError.exit_code


class _Hearer:
    """Says how it goes, stack by stack: their threads take turns."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._watches: dict[str, stopping.Watch] = {}

    def hearer(self) -> Any:  # noqa: ANN401 - the engine's, which help need not load
        from orchestrator.engine.halting import Hearer  # noqa: PLC0415

        return Hearer(event=self._event, word=self._word, result=self._result)

    def erase(self) -> None:
        with self._turn:
            for watch in self._watches.values():
                watch.line.erase()

    def _event(self, stack: str, event: dict[str, Any]) -> None:
        with self._turn:
            self._watches.setdefault(stack, stopping.Watch()).hear(event)

    def _word(self, stack: str, text: str) -> None:
        with self._turn:
            terminal.say(f"{stack}: {text}")

    def _result(self, stack: str, result: dict[str, Any]) -> None:
        with self._turn:
            if stack in self._watches:
                self._watches[stack].line.erase()
            for line in stopping.ended(result):
                click.echo(f"{stack}  {line}")
            for pid, text in result["leftovers"].items():
                terminal.say(f"{stack}: left behind: pid {pid} ({text})")
