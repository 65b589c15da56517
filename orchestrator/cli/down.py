"""`hftstack down`."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import arguments, target, terminal
from orchestrator.cli.verb import Verb
from orchestrator.engine import descent
from orchestrator.errors import NotReachedError, UsageError
from orchestrator.observe import selection
from orchestrator.observe.table import duration, render

if TYPE_CHECKING:
    from orchestrator.deployment.homes import StackHome

_ORDERS = "orders at the exchange were NOT cancelled"
_TOLD = frozenset({"killed", "lost", "not-softened", "members"})


@click.command("down", cls=Verb, examples=("hftstack down", "hftstack down stacks/prod.yaml --now"))
@arguments.stack
@click.option("--now", "hurry", is_flag=True, help="Do not wait for bots: SIGTERM and at once SIGKILL.")
@click.option("--force", is_flag=True, help="Go on although a bot that is not ours is attached.")
def command(stack: str | None, *, hurry: bool, force: bool) -> int:
    """Stop a stack: bots first, then connectors, nothing left behind.

    STACK is a stack's name or its file; without it, the one stack that runs. Exits 5 when a bot or a connector did not
    end cleanly or something is left. Orders at the exchange are not cancelled.
    """
    home = _find(stack)
    if home is None:
        return 0
    begun = time.monotonic()
    watch = _Watch(home.name)
    try:
        result = descent.down(
            home, environ=os.environ, hurry=hurry, force=force, heard=watch.hear, orphaned=watch.orphaned
        )
    finally:
        watch.line.erase()
    if result is None:
        click.echo(f"{home.name} is not running")
        return 0
    return _tell(home.name, result, time.monotonic() - begun)


def _find(stack: str | None) -> StackHome | None:
    """Return the stack that is meant; None, and a word on it, when there is nothing that could run."""
    try:
        return target.find(stack)
    except UsageError as error:
        if error.message == selection.NONE_RUNS or (stack is not None and Path(stack).is_file()):
            click.echo(error.message)
            return None
        raise


class _Watch:
    """A `down` as it is watched from the terminal."""

    def __init__(self, stack: str) -> None:
        self._stack = stack
        self.line = terminal.LiveLine()
        self._stopping: dict[str, None] = {}

    def orphaned(self) -> None:
        """Say that the units are taken over first."""
        terminal.say(f"{self._stack} has no supervisor: taking its units over to stop them in order")

    def hear(self, event: dict[str, Any]) -> None:
        """Take an event of the supervisor."""
        name, what = event["unit"] or "stack", event["what"]
        if what in _TOLD:
            self.line.erase()
            terminal.say(f"{name}: {what}: {event['text']}")
        if what == "stopping":
            self._stopping[name] = None
        elif what in {"exit", "stopped", "lost"}:
            self._stopping.pop(name, None)
        self.line.draw(f"stopping {', '.join(self._stopping)}" if self._stopping else "")


def _tell(stack: str, result: dict[str, Any], seconds: float) -> int:
    stopped = set(result["stopped"])
    rows = [
        (unit["name"], unit["unclean"] or ("lost: " + (unit["why"] or "") if unit["state"] == "lost" else "stopped"))
        for unit in result["units"]
        if unit["name"] in stopped
    ]
    for line in render(rows):
        click.echo(line)
    click.echo(f"{stack} is down, {duration(seconds)}; {_ORDERS}")
    for pid, text in result["leftovers"].items():
        terminal.say(f"left behind: pid {pid} ({text})")
    return 0 if descent.is_clean(result) else NotReachedError.exit_code
