"""`hftstack enable`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from orchestrator.cli import arguments
from orchestrator.cli.stackfile import load
from orchestrator.cli.verb import Verb

if TYPE_CHECKING:
    from pathlib import Path


@click.command("enable", cls=Verb, examples=("hftstack enable stacks/prod.yaml", "hftstack enable prod --print"))
@arguments.stack_file
@click.option("--print", "only_print", is_flag=True, help="Show the unit file and install nothing.")
def command(file: Path, *, only_print: bool) -> int:
    """Install a stack as a service of systemd's, started at each boot: the machine's for root, else the user's own.

    `systemctl stop` is an ordered down; a guardian or supervisor that dies leaves the units running, and the next
    start takes them over. A service starts with the binaries of an earlier build, and with its file as it is then. It
    has PATH and hftstack's own variables of this environment and no others. Nothing is started now.
    """
    from orchestrator.engine import service  # noqa: PLC0415 - help and completion need not pay

    stack = load(file, service.environment(os.environ))
    of = service.service(stack.name, os.environ, os.geteuid())
    content = service.text(stack, of, os.environ)
    if only_print:
        click.echo(content, nl=False)
        return 0
    service.refuse_logout(of, os.geteuid())
    service.install(of, content)
    click.echo(f"{stack.name}  wrote {of.file}, enabled.  {' '.join(of.systemctl)} start {of.unit}")
    return 0
