"""`hftstack logs`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from orchestrator.cli import arguments, target, terminal, times
from orchestrator.cli.verb import Verb
from orchestrator.errors import InterruptedByUserError, UsageError
from orchestrator.observe import following, logs, selection

if TYPE_CHECKING:
    from orchestrator.deployment.homes import StackHome

_FIRST = 10
_COLOURS = (36, 33, 35, 32, 34, 96, 93, 95)


@click.command("logs", cls=Verb, examples=("hftstack logs -f", "hftstack logs -s prod bf --since 10m"))
@arguments.units
@arguments.stack_option
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on.")
@times.since
@click.option("-n", "--tail", "count", type=click.IntRange(min=0), help="Only the last lines of each unit.")
def command(units: tuple[str, ...], stack: str | None, since: int | None, count: int | None, *, follow: bool) -> int:
    """Show the units' output over their starts, interleaved by time where lines carry one.

    Without units, all of them. --since goes by the UTC times that lines begin with (RFC 3339); a line without one
    belongs to the line before it, and a start that writes none is shown whole when it wrote anything since then. -f
    begins with the last 10 lines of each unless --since or --tail say otherwise, goes on over restarts of the units and
    of the supervisor, and ends with Ctrl-C. Archives are read as if nothing had been rotated; output that had to be
    given up on a full disk is told on stderr.
    """
    home = _stack(stack)
    known = logs.units(home)
    selection.check_units(home.name, units, known)
    shown = list(dict.fromkeys(units)) or known
    width = max(map(len, shown), default=0)
    if follow and count is None and since is None:
        count = _FIRST
    followers = [following.Follower(home, unit) for unit in shown] if follow else []
    places = {follower.unit: follower.place for follower in followers}
    for unit, line in logs.history(home, shown, count, since, until=places):
        _print(unit, line, shown, width)
    for unit in shown:
        _lost(unit, logs.lost(home, unit))
    if not follow:
        return 0
    sys.stdout.flush()
    try:
        for unit, line in following.follow(followers, _lost):
            _print(unit, line, shown, width)
            sys.stdout.flush()
    except KeyboardInterrupt:
        return InterruptedByUserError.exit_code
    return 0


def _stack(wanted: str | None) -> StackHome:
    """Return the stack that is meant, or the only one that ever was up: what it wrote is still there."""
    try:
        return target.find(wanted)
    except UsageError:
        home = target.home()
        if wanted is not None or len(home.stacks()) != 1 or any(map(selection.runs, map(home.stack, home.stacks()))):
            raise
        return home.stack(home.stacks()[0])


def _lost(unit: str, count: int) -> None:
    if count:
        sys.stdout.flush()
        terminal.say(f"warning: {unit}: {count} bytes of its output were given up, for want of room on the disk")


def _print(unit: str, line: str, shown: list[str], width: int) -> None:
    head = terminal.paint(unit.ljust(width), _COLOURS[shown.index(unit) % len(_COLOURS)], sys.stdout)
    click.echo(f"{head} | {line}" if len(shown) > 1 else line)
