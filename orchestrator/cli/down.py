"""`hftstack down`."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import target, terminal
from orchestrator.cli.verb import Verb
from orchestrator.errors import InterruptedByUserError, NotReachedError, RefusedError, UsageError
from orchestrator.observe import selection
from orchestrator.observe.table import duration, render
from orchestrator.supervise.launch import launch

if TYPE_CHECKING:
    from orchestrator.deployment.homes import StackHome

_ORDERS = "orders at the exchange were NOT cancelled"
_TOLD = frozenset({"killed", "lost", "not-softened", "members"})


@click.command("down", cls=Verb, examples=("hftstack down", "hftstack down stacks/prod.yaml --now"))
@click.argument("stack", required=False)
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
    client = target.connect(home)
    if client is None:
        if not _has_remains(home):
            click.echo(f"{home.name} is not running")
            return 0
        terminal.say(f"{home.name} has no supervisor: taking its units over to stop them in order")
        home.prepare()
        launch(home, os.environ, hold=True)
        client = target.connect(home)
        if client is None:
            raise RefusedError("the supervisor left at once", where=str(home.supervisor_log))
    descent = _Descent()
    try:
        with client:
            result = client.call("down", {"hurry": hurry, "force": force}, heard=descent.hear, patient=True)
            target.wait_until_left(client)
    except KeyboardInterrupt:
        hint = "hftstack status shows how far it is, hftstack down --now hurries it"
        raise InterruptedByUserError("the supervisor goes on stopping", hint=hint) from None
    finally:
        descent.line.erase()
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


def _has_remains(home: StackHome) -> bool:
    from orchestrator.observe.unsupervised import remains  # noqa: PLC0415 - for a stack without a supervisor only

    return remains(home)


class _Descent:
    """A `down` as it is watched from the terminal."""

    def __init__(self) -> None:
        self.line = terminal.LiveLine()
        self._stopping: dict[str, None] = {}

    def hear(self, _: str, event: dict[str, Any]) -> None:
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
    unclean = [unit["name"] for unit in result["units"] if unit["name"] in stopped and unit["unclean"]]
    lost = [unit["name"] for unit in result["units"] if unit["state"] == "lost"]
    if unclean or lost or result["leftovers"]:
        return NotReachedError.exit_code
    return 0
