"""`hftstack build`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from orchestrator.cli import arguments, building, target
from orchestrator.cli.stackfile import load
from orchestrator.cli.verb import Verb
from orchestrator.resolve import build_request

if TYPE_CHECKING:
    from pathlib import Path


@click.command("build", cls=Verb, examples=("hftstack build stacks/prod.yaml",))
@arguments.stack_file
def command(file: Path) -> None:
    """Build what the stack needs: all its connectors' features, and its own Rust programs, in one cargo build.

    Exits 4 with the compiler's errors in full when that fails.
    """
    stack = load(file, os.environ)
    home = target.home().stack(stack.name)
    request = build_request(stack, home=home)
    if request is None:
        click.echo(f"{stack.name} needs nothing of cargo")
        return
    home.prepare()
    click.echo(building.line(building.ensure(request)))
