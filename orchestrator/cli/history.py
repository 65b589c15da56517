"""`hftstack history`."""

from __future__ import annotations

import sys

import click

from orchestrator.cli import arguments, target, terminal, times
from orchestrator.cli.verb import Verb


@click.command("history", cls=Verb, examples=("hftstack history --since 7d", "hftstack history prod --format json"))
@arguments.stack
@times.since
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(stack: str | None, since: int | None, form: str) -> int:
    """List what was done to a stack: who, from which commit, how long it took, and what the others waited for.

    Each up, down, halt and resume, and each start, stop, restart and reset of single units.

    A commit with + had changes beside it. PLAN is the digest of what an up did: `hftstack plan` just before it showed
    the same. The path names the units in whose order a start or a stop took its time, each with the time that it alone
    cost. JSON is an object a line: at, what, units (named ones, none for all), user, commit, dirty, plan, reason,
    seconds, blocked (units that an up did not bring there), path (unit, seconds).
    """
    from orchestrator.observe import history  # noqa: PLC0415 - sqlite, which help and completion need not pay

    home = target.find(stack)
    found = history.read(home.journal, since or 0)
    if not found and form == "text":
        click.echo("nothing was done")
        return 0
    for line in history.lines(found, form, terminal.width(sys.stdout)):
        click.echo(line)
    return 0
