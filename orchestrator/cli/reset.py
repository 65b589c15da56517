"""`hftstack reset`."""

from __future__ import annotations

import time

import click

from orchestrator.cli import arguments, climbing, orders, times
from orchestrator.cli.verb import Verb
from orchestrator.observe.table import duration


@click.command("reset", cls=Verb, examples=("hftstack reset bf", "hftstack reset -s prod bf by --timeout 30s"))
@arguments.some_units
@arguments.stack_option
@times.timeout
def command(units: tuple[str, ...], stack: str | None, timeout: float | None) -> int:
    """Clear what is held against units that failed, and start them again.

    Units that are latched as failed, or wait for their next start, begin anew, with all their restarts before them,
    and what they need; what waits for them follows. Others are left alone. Exits 5 when one did not reach its target.
    """
    from orchestrator.engine import orders as engine  # noqa: PLC0415 - help and completion need not pay

    begun = time.monotonic()
    meant = orders.meant(stack, units, starts=True)
    watch = climbing.Watch("reset", meant.needed(), meant.up())
    try:
        result = engine.reset(meant.home, units, timeout=timeout, heard=watch.hear)
    finally:
        watch.line.erase()
    took = duration(time.monotonic() - begun)
    if not result["reached"]:
        return climbing.unreached(result, meant.specs, meant.home.name, f"not started after {took}", timeout=timeout)
    concerned = ", ".join(result["started"])
    click.echo(f"reset {concerned} in {took}" if concerned else f"nothing to reset: {', '.join(units)} had not failed")
    return 0
