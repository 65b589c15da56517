"""`hftstack stop`."""

from __future__ import annotations

import time

import click

from orchestrator.cli import arguments, orders, stopping
from orchestrator.cli.verb import Verb
from orchestrator.deployment.model import Kind
from orchestrator.errors import NotReachedError
from orchestrator.observe.table import duration


@click.command("stop", cls=Verb, examples=("hftstack stop mm", "hftstack stop -s prod bf --force"))
@arguments.some_units
@arguments.stack_option
@click.option("--now", "hurry", is_flag=True, help="Do not wait for bots: SIGTERM and at once SIGKILL.")
@click.option("--force", is_flag=True, help="Go on although a bot that is not ours is attached.")
def command(units: tuple[str, ...], stack: str | None, *, hurry: bool, force: bool) -> int:
    """Stop units and what hangs below them, dependents first. The rest of the stack runs on.

    They stay down, also after a reboot, until `start`, `restart` or `up`. Refuses with exit 7 while a bot that
    is not ours is attached to a channel. Exits 5 when one did not end cleanly. Orders at the exchange are not
    cancelled.
    """
    from orchestrator.engine import descent  # noqa: PLC0415 - help and completion need not pay
    from orchestrator.engine import orders as engine  # noqa: PLC0415

    begun = time.monotonic()
    meant = orders.meant(stack, units)
    watch = stopping.Watch()
    try:
        result = engine.stop(meant.home, units, hurry=hurry, force=force, heard=watch.hear)
    finally:
        watch.line.erase()
    for line in stopping.ended(result):
        click.echo(line)
    took = duration(time.monotonic() - begun)
    if not result["stopped"]:
        click.echo(f"nothing to stop: {', '.join(units)} down already, {took}")
        return 0
    trading = any(meant.kind(name) is not Kind.SERVICE for name in result["stopped"])
    click.echo(f"stopped in {took}" + (f"; {stopping.ORDERS}" if trading else ""))
    return 0 if descent.is_clean({"leftovers": {}, **result}) else NotReachedError.exit_code
