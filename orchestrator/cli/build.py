"""`hftstack build`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from orchestrator.cli import arguments, target
from orchestrator.cli.stackfile import load
from orchestrator.cli.verb import Verb

if TYPE_CHECKING:
    from pathlib import Path


@click.command("build", cls=Verb, examples=("hftstack build stacks/prod.yaml",))
@arguments.stack_file
def command(file: Path) -> None:
    """Build what the stack needs: all its connectors' features, and its own Rust programs, in one cargo build.

    Exits 4 with the compiler's errors in full when that fails.
    """
    from orchestrator.cli import building  # noqa: PLC0415 - 200 ms that help and completion need not pay
    from orchestrator.resolve import build_request  # noqa: PLC0415 - likewise

    stack = load(file, os.environ)
    home = target.home().stack(stack.name)
    request = build_request(stack, home=home)
    if request is None:
        click.echo(f"{stack.name} needs nothing of cargo")
        return
    home.prepare()
    click.echo(building.line(building.ensure(request)))
