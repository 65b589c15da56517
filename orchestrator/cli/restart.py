"""`hftstack restart`."""

from __future__ import annotations

import time

import click

from orchestrator.cli import arguments, climbing, orders, stopping, times
from orchestrator.cli.verb import Verb
from orchestrator.deployment.model import Kind
from orchestrator.observe.table import duration


@click.command("restart", cls=Verb, examples=("hftstack restart bf", "hftstack restart -s prod mm --timeout 1m"))
@arguments.some_units
@arguments.stack_option
@times.timeout
@click.option("--force", is_flag=True, help="Go on although a bot that is not ours is attached.")
def command(units: tuple[str, ...], stack: str | None, timeout: float | None, *, force: bool) -> int:
    """Stop units and start them again, and the bots on them as their `on_restart` says.

    Returns when they are ready. It counts for no restart limit. Refuses, with exit 7, while a bot that is not ours is
    attached to a channel. Exits 5 when a unit did not reach its target. Orders at the exchange are not cancelled.
    """
    from orchestrator.engine import orders as engine  # noqa: PLC0415 - help and completion need not pay

    begun = time.monotonic()
    meant = orders.meant(stack, units, starts=True)
    watch = climbing.Watch("restart", meant.touched(), meant.up())
    try:
        result = engine.restart(meant.home, units, timeout=timeout, force=force, heard=watch.hear)
    finally:
        watch.line.erase()
    took = duration(time.monotonic() - begun)
    again = result["restarted"]
    if not result["reached"]:
        return climbing.unreached(result, meant.specs, meant.home.name, f"not up again after {took}", timeout=timeout)
    trading = any(meant.kind(name) is not Kind.SERVICE for name in again)
    done = f"restarted {', '.join(again)}" if again else f"started {', '.join(watch.climbed)}"
    click.echo(f"{done} in {took}" + (f"; {stopping.ORDERS}" if trading else ""))
    return 0
