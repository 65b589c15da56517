"""`hftstack start`."""

from __future__ import annotations

import time

import click

from orchestrator.cli import arguments, climbing, orders, times
from orchestrator.cli.verb import Verb
from orchestrator.observe.table import duration


@click.command("start", cls=Verb, examples=("hftstack start mm", "hftstack start -s prod bf by --timeout 30s"))
@arguments.some_units
@arguments.stack_option
@times.timeout
def command(units: tuple[str, ...], stack: str | None, timeout: float | None) -> int:
    """Start units of a stack that is supervised, and what they need.

    Returns when they are ready. Clears what had failed and what was stopped. Exits 5 when a unit did not reach its
    target; what runs is left running. Ctrl-C stops what this `start` started.
    """
    from orchestrator.engine import orders as engine  # noqa: PLC0415 - help and completion need not pay

    begun = time.monotonic()
    meant = orders.meant(stack, units, starts=True)
    watch = climbing.Watch("start", meant.needed(), meant.up())
    try:
        result = engine.start(meant.home, units, timeout=timeout, heard=watch.hear, interrupted=watch.interrupted)
    finally:
        watch.line.erase()
    took = duration(time.monotonic() - begun)
    if not result["reached"]:
        return climbing.unreached(result, meant.specs, meant.home.name, f"not started after {took}", timeout=timeout)
    click.echo(f"started in {took}" if watch.climbed else f"nothing to start: {', '.join(units)} up already, {took}")
    return 0
