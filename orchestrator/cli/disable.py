"""`hftstack disable`."""

from __future__ import annotations

import os

import click

from orchestrator.cli import arguments, target
from orchestrator.cli.verb import Verb


@click.command("disable", cls=Verb, examples=("hftstack disable prod",))
@arguments.stack
def command(stack: str | None) -> None:
    """Take out what `hftstack enable` installed. A stack that runs runs on."""
    from orchestrator.engine import service  # noqa: PLC0415 - help and completion need not pay

    name = target.find(stack).name
    of = service.service(name, os.environ, os.geteuid())
    removed = service.remove(of)
    click.echo(f"{name}  removed {of.file}" if removed else f"{name}  was not enabled: there is no {of.file}")
