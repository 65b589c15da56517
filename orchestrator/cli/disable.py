"""`hftstack disable`."""

from __future__ import annotations

import os

import click

from orchestrator.cli import arguments, target
from orchestrator.cli.verb import Verb


@click.command("disable", cls=Verb, examples=("hftstack disable prod",))
@arguments.stack
def command(stack: str | None) -> None:
    """Take out what `hftstack enable` installed. A stack that runs runs on, with a supervisor of its own."""
    from orchestrator.engine import handover, service  # noqa: PLC0415 - help and completion need not pay

    home = target.find(stack)
    of = service.service(home.name, os.environ, os.geteuid())
    if not service.is_installed(of):
        click.echo(f"{home.name}  was not enabled: there is no {of.file}")
        return
    if handover.is_managed(of, home):
        handover.take_back(home, os.environ)
    service.remove(of)
    click.echo(f"{home.name}  removed {of.file}")
