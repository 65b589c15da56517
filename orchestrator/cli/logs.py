"""`hftstack logs`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from orchestrator.cli import arguments, target, terminal
from orchestrator.cli.verb import Verb
from orchestrator.errors import InterruptedByUserError, UsageError
from orchestrator.observe import logs, selection

if TYPE_CHECKING:
    from orchestrator.deployment.homes import Home, StackHome

_COLOURS = (36, 33, 35, 32, 34, 96, 93, 95)


@click.command("logs", cls=Verb, examples=("hftstack logs -f", "hftstack logs prod bf --tail 100"))
@arguments.stack_and_units
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on.")
@click.option("-n", "--tail", "count", type=click.IntRange(min=0), help="Only the last lines of each unit.")
def command(names: tuple[str, ...], *, follow: bool, count: int | None) -> int:
    """Show the units' output over their starts, interleaved by time where lines carry one.

    The first name is the stack when it is a path or a stack's name; all others are units. Without units, all of them.
    -f begins with the last 10 lines of each, and ends with Ctrl-C.
    """
    home, units = _chosen(names)
    shown = units or _all(home)
    width = max(map(len, shown), default=0)
    for unit, line in logs.history(home, shown, 10 if follow and count is None else count):
        _print(unit, line, shown, width)
    if not follow:
        return 0
    sys.stdout.flush()
    try:
        for unit, line in logs.follow(home, shown):
            _print(unit, line, shown, width)
            sys.stdout.flush()
    except KeyboardInterrupt:
        return InterruptedByUserError.exit_code
    return 0


def _chosen(names: tuple[str, ...]) -> tuple[StackHome, list[str]]:
    home = target.home()
    if names and (selection.is_path(names[0]) or names[0] in home.stacks()):
        stack, units = selection.select(home, names[0]), list(names[1:])
    else:
        stack, units = _the_one(home), list(names)
    known = _all(stack)
    for unit in units:
        if unit not in known:
            raise UsageError(f"{stack.name} has no unit {unit}", hint=f"it has {', '.join(known) or 'none'}")
    return stack, units


def _the_one(home: Home) -> StackHome:
    """Return the stack that runs, or the only one that ever did: what it wrote is still there."""
    try:
        return target.find(None)
    except UsageError:
        if len(home.stacks()) != 1 or any(map(selection.runs, map(home.stack, home.stacks()))):
            raise
        return home.stack(home.stacks()[0])


def _all(home: StackHome) -> list[str]:
    try:
        return sorted(entry.name for entry in home.logs.iterdir() if entry.is_dir())
    except OSError:
        return []


def _print(unit: str, line: str, shown: list[str], width: int) -> None:
    head = terminal.paint(unit.ljust(width), _COLOURS[shown.index(unit) % len(_COLOURS)], sys.stdout)
    click.echo(f"{head} | {line}" if len(shown) > 1 else line)
