"""`hftstack status`."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import click

from orchestrator.cli import target, terminal
from orchestrator.control.client import NotSupervisedError
from orchestrator.errors import UsageError
from orchestrator.observe import status

_EVERY = 1.0


@click.command("status")
@click.argument("stack", required=False)
@click.option("--watch", is_flag=True, help="Draw it again each second, until Ctrl-C.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(stack: str | None, *, watch: bool, form: str) -> int:
    r"""Show what is live, what is blind, since when and why.

    STACK is a stack's name or its file; without it, the one stack that runs. Exits 0 when every wanted unit is at its
    target and the stack is supervised, else 5.

    \b
    hftstack status
    hftstack status stacks/prod.yaml --format json
    """
    while True:
        found = look(stack)
        text = json.dumps(found) if form == "json" else "\n".join(_lines(found))
        if not watch:
            click.echo(text)
            return 0 if status.is_well(found) else NotSupervisedError.exit_code
        if terminal.is_lively(sys.stdout):
            click.echo(f"\x1b[H\x1b[2J{text}")
        else:
            click.echo(text)
        sys.stdout.flush()
        time.sleep(_EVERY)


def look(stack: str | None) -> dict[str, Any]:
    """Return the object of `status --format json`. Raises UsageError for a stack that was never up."""
    try:
        home = target.find(stack)
    except UsageError as error:
        if stack is None and error.message == "no stack is running":
            raise NotSupervisedError(error.message, hint=error.hint) from None
        raise
    client = target.connect(home)
    if client is None:
        from orchestrator.observe import unsupervised  # noqa: PLC0415 - 20 ms that a supervised stack does not need

        return unsupervised.status(home)
    with client:
        result: dict[str, Any] = client.call("status")
        return result


def _lines(found: dict[str, Any]) -> list[str]:
    return status.lines(
        found,
        now=time.time(),
        width=terminal.width(sys.stdout),
        colour=terminal.has_colour(sys.stdout),
    )
