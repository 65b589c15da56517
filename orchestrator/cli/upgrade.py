"""`hftstack upgrade`."""

from __future__ import annotations

import click

from orchestrator.cli import arguments, target
from orchestrator.cli.verb import Verb
from orchestrator.engine.upgrading import upgrade


@click.command("upgrade", cls=Verb, examples=("hftstack upgrade", "pip install --upgrade hftstack && hftstack upgrade"))
@arguments.stack
def command(stack: str | None) -> None:
    """Give a running stack the supervisor of the hftstack installed now; no unit is touched.

    The guardian becomes the new program in place, and starts a new supervisor that takes the units over.
    """
    home = target.find(stack)
    before, after = upgrade(home)
    click.echo(f"{home.name}  supervisor {before} -> {after}, no unit touched")
