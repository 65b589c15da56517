"""`hftstack gaps`."""

from __future__ import annotations

import sys
import time

import click

from orchestrator.cli import arguments, target, terminal, times
from orchestrator.cli.verb import Verb
from orchestrator.observe import selection


@click.command(
    "gaps", cls=Verb, examples=("hftstack gaps --since 1d", "hftstack gaps bf -s prod --format csv >gaps.csv")
)
@arguments.units
@arguments.stack_option
@times.since
@click.option("--format", "form", type=click.Choice(["text", "csv", "json"]), default="text", show_default=True)
def command(units: tuple[str, ...], stack: str | None, since: int | None, form: str) -> int:
    """List every interval in which a connector's channel was not fresh, and why, from the journal.

    Silence counts from the last message on; a span that nobody supervised is a gap in which data may have come. CSV and
    JSON, an object a line, have unit, start, end (nanoseconds since the epoch; no end: it goes on), cause, planned
    (somebody started, stopped or changed it, or its hours are quiet) and known (false: nobody looked).
    """
    from orchestrator.observe import events, gaps  # noqa: PLC0415 - sqlite, which help and completion need not pay

    home = target.find(stack)
    known = dict.fromkeys((*selection.deployed_units(home), *events.units(home.journal)))
    selection.check_units(home.name, units, tuple(known))
    found = gaps.gaps(home, units, since or 0)
    if not found and form == "text":
        click.echo("no gaps")
        return 0
    for line in gaps.lines(found, form, now=time.time_ns(), width=terminal.width(sys.stdout)):
        click.echo(line)
    return 0
