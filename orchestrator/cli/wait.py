"""`hftstack wait`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from orchestrator.cli import arguments, orders, terminal, times
from orchestrator.cli.verb import Verb
from orchestrator.errors import NotReachedError
from orchestrator.observe.awaited import Awaited, rows
from orchestrator.observe.table import render

if TYPE_CHECKING:
    from orchestrator.observe.awaited import Progress


@click.command("wait", cls=Verb, examples=("hftstack wait", "hftstack wait bf --for fresh --timeout 30s"))
@arguments.units
@arguments.stack_option
@click.option(
    "--for",
    "rung",
    type=click.Choice([awaited.value for awaited in Awaited]),
    default=Awaited.READY.value,
    show_default=True,
    help="Where the units shall be; live, connected and fresh are for connectors.",
)
@times.patience
def command(units: tuple[str, ...], stack: str | None, rung: str, timeout: float | None) -> int:
    """Wait until units are there: all that are wanted, when none is named.

    Exits 5, with what is missing, when the time has run out or a unit has failed for good or is kept down. A supervisor
    that dies meanwhile has 30 s to be replaced. Without --timeout it takes as long as it takes.
    """
    from orchestrator.engine import awaiting  # noqa: PLC0415 - help and completion need not pay

    home = orders.supervised(stack)
    awaited = Awaited(rung)
    awaiting.check(home, units, awaited)
    watch = _Watch(home.name, awaited)
    try:
        found = awaiting.wait(home, units, awaited, timeout=timeout, told=watch.see, lost=watch.lost)
    finally:
        watch.line.erase()
    if not found.missing:
        click.echo(f"{awaited.value}: {', '.join(found.reached)}" if found.reached else "nothing is wanted")
        return 0
    for line in render(rows(found), terminal.width(sys.stderr), (2,)):
        terminal.say(line)
    why = "will not get there" if found.hopeless else f"not there within {timeout:g} s"
    terminal.say(f"{awaited.value}: {', '.join(found.hopeless or found.missing)} {why}.  hftstack status | logs")
    return NotReachedError.exit_code


class _Watch:
    """What is missing is drawn over."""

    def __init__(self, stack: str, awaited: Awaited) -> None:
        self._stack = stack
        self._awaited = awaited
        self.line = terminal.LiveLine()

    def see(self, found: Progress) -> None:
        """Take a look at the units."""
        parts = [f"{name} {level if state == 'up' else state}" for name, state, level, _ in rows(found)]
        self.line.draw(f"{', '.join(parts)} → {self._awaited.value}" if parts else "")

    def lost(self) -> None:
        """Say that the supervisor is gone."""
        self.line.erase()
        terminal.say(f"the supervisor of {self._stack} went away: waiting for the next one")
