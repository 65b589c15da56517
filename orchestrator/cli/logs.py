"""`hftstack logs`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from orchestrator.cli import target, terminal
from orchestrator.errors import UsageError
from orchestrator.observe import logs, selection

if TYPE_CHECKING:
    from orchestrator.deployment.homes import StackHome

_COLOURS = (36, 33, 35, 32, 34, 96, 93, 95)


@click.command("logs")
@click.argument("names", nargs=-1, metavar="[STACK] [UNIT]...")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on.")
@click.option("-n", "--tail", "count", type=click.IntRange(min=0), help="Only the last lines of each unit.")
def command(names: tuple[str, ...], *, follow: bool, count: int | None) -> None:
    r"""Show the units' output, interleaved by time where lines carry one.

    The first name is the stack when it is a path or a stack's name; all others are units. Without units, all of them.

    \b
    hftstack logs -f
    hftstack logs prod bf --tail 100
    """
    home, units = _chosen(names)
    shown = units or _all(home)
    width = max(map(len, shown), default=0)
    for unit, line in logs.history(home, shown, 10 if follow and count is None else count):
        _print(unit, line, shown, width)
    if follow:
        for unit, line in logs.follow(home, shown):
            _print(unit, line, shown, width)
            sys.stdout.flush()


def _chosen(names: tuple[str, ...]) -> tuple[StackHome, list[str]]:
    home = target.home()
    if names and (selection.is_path(names[0]) or names[0] in home.stacks()):
        stack, units = selection.select(home, names[0]), list(names[1:])
    else:
        stack, units = selection.select(home, None), list(names)
    known = _all(stack)
    for unit in units:
        if unit not in known:
            raise UsageError(f"{stack.name} has no unit {unit}", hint=f"it has {', '.join(known) or 'none'}")
    return stack, units


def _all(home: StackHome) -> list[str]:
    try:
        return sorted(entry.name for entry in home.logs.iterdir() if entry.is_dir())
    except OSError:
        return []


def _print(unit: str, line: str, shown: list[str], width: int) -> None:
    head = unit.ljust(width)
    if terminal.has_colour(sys.stdout):
        head = f"\x1b[{_COLOURS[shown.index(unit) % len(_COLOURS)]}m{head}\x1b[0m"
    click.echo(f"{head} | {line}" if len(shown) > 1 else line)
