"""`hftstack down`."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import arguments, stopping, target, terminal
from orchestrator.cli.verb import Verb
from orchestrator.engine import descent
from orchestrator.errors import NotReachedError, UsageError
from orchestrator.observe import selection
from orchestrator.observe.table import duration

if TYPE_CHECKING:
    from orchestrator.deployment.homes import StackHome


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
    watch = stopping.Watch()
    try:
        result = descent.down(
            home,
            environ=os.environ,
            hurry=hurry,
            force=force,
            heard=watch.hear,
            orphaned=lambda: _say_orphaned(home.name),
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
        wanted = target.named(stack)
        if error.message == selection.NONE_RUNS or (wanted is not None and Path(wanted).is_file()):
            click.echo(error.message)
            return None
        raise


def _say_orphaned(stack: str) -> None:
    terminal.say(f"{stack} has no supervisor: taking its units over to stop them in order")


def _tell(stack: str, result: dict[str, Any], seconds: float) -> int:
    for line in stopping.ended(result):
        click.echo(line)
    click.echo(f"{stack} is down, {duration(seconds)}; {stopping.ORDERS}")
    for pid, text in result["leftovers"].items():
        terminal.say(f"left behind: pid {pid} ({text})")
    return 0 if descent.is_clean(result) else NotReachedError.exit_code
