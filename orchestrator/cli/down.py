"""`hftstack down`."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import target, terminal
from orchestrator.errors import NotReachedError, RefusedError
from orchestrator.observe.table import duration, render
from orchestrator.supervise.launch import launch

if TYPE_CHECKING:
    from orchestrator.deployment.homes import StackHome

_ORDERS = "orders at the exchange were NOT cancelled"


@click.command("down")
@click.argument("stack", required=False)
@click.option("--now", "hurry", is_flag=True, help="Do not wait for bots: SIGTERM and at once SIGKILL.")
@click.option("--force", is_flag=True, help="Go on although a bot that is not ours is attached.")
def command(stack: str | None, *, hurry: bool, force: bool) -> int:
    r"""Stop a stack: bots first, then connectors, nothing left behind.

    STACK is a stack's name or its file; without it, the one stack that runs. Exits 5 when a bot or a connector did not
    end cleanly or something is left. Orders at the exchange are not cancelled.

    \b
    hftstack down
    hftstack down stacks/prod.yaml --now
    """
    home = target.find(stack)
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
    with client:
        result = client.call("down", {"hurry": hurry, "force": force}, heard=_progress, patient=True)
    return _tell(home.name, result, time.monotonic() - begun)


def _has_remains(home: StackHome) -> bool:
    from orchestrator.observe.unsupervised import remains  # noqa: PLC0415 - for a stack without a supervisor only

    return remains(home)


def _progress(_: str, event: dict[str, Any]) -> None:
    if event["what"] in {"killed", "lost", "not-softened", "members"}:
        terminal.say(f"{event['unit'] or 'stack'}: {event['what']}: {event['text']}")


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
