"""`hftstack events`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from orchestrator.cli import arguments, target, terminal, times
from orchestrator.cli.verb import Verb
from orchestrator.errors import InterruptedByUserError
from orchestrator.observe import selection

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orchestrator.observe.events import Event

_BAD = frozenset({"failed", "refused", "lost", "killed", "unclean", "broken", "stale", "unexpected", "blind"})
_RED = 31
_FIRST = 10


@click.command(
    "events", cls=Verb, examples=("hftstack events -f", "hftstack events --since 1h --unit bf --format json")
)
@arguments.stack
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens from now on.")
@times.since
@click.option(
    "--unit", "units", multiple=True, metavar="UNIT", help="Only of this unit; may be given several times.",
    shell_complete=arguments.complete_unit,
)  # fmt: skip
@click.option("-n", "--tail", "count", type=click.IntRange(min=0), help="Only the last ones.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    stack: str | None, units: tuple[str, ...], since: int | None, count: int | None, *, follow: bool, form: str
) -> int:
    """Show what happened to a stack's units, from its journal, also when nothing runs.

    -f begins with the last 10 events unless --since or --tail say otherwise, goes on over the death of a supervisor,
    and ends with Ctrl-C. JSON is an object a line: at, unit (null for the stack), what, text, pid.
    """
    from orchestrator.observe import events  # noqa: PLC0415 - sqlite, which help and completion need not pay

    home = target.find(stack)
    known = dict.fromkeys((*selection.deployed_units(home), *events.units(home.journal)))
    selection.check_units(home.name, units, tuple(known))
    wanted = events.Wanted(units, since or 0)
    end = events.now_at(home.journal)
    if follow and count is None and since is None:
        count = _FIRST
    _show(events.history(home.journal, wanted, end, count), units or tuple(known), form)
    if not follow:
        return 0
    sys.stdout.flush()
    try:
        for some in events.follow(home.journal, wanted, end):
            _show(some, units or tuple(known), form)
            sys.stdout.flush()
    except KeyboardInterrupt:
        return InterruptedByUserError.exit_code
    return 0


def _show(found: Iterable[Event], names: Sequence[str], form: str) -> None:
    from orchestrator.observe import events  # noqa: PLC0415 - as above

    width = terminal.width(sys.stdout)
    for event in found:
        if form == "json":
            click.echo(json.dumps(events.as_json(event)))
            continue
        for line in events.lines(event, names, width):
            click.echo(terminal.paint(line, _RED, sys.stdout) if event.what in _BAD else line)
