"""`hftstack validate`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from orchestrator.cli import arguments
from orchestrator.cli.stackfile import load, summary
from orchestrator.cli.verb import Verb

if TYPE_CHECKING:
    from pathlib import Path


@click.command("validate", cls=Verb, examples=("hftstack validate stacks/prod.yaml",))
@arguments.stack_file
def command(file: Path) -> None:
    """Check a stack file and the files it names. Nothing is started; no machine is needed.

    Every mistake is told at once, with file:line:column and what to write instead. Exits 3 when there is one.
    """
    stack = load(file, os.environ)
    click.echo(f"{file}: {stack.name} is valid: {stack.network}, {summary(stack)}")
