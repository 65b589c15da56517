"""`hftstack graph`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from orchestrator.cli import arguments, terminal
from orchestrator.cli.stackfile import load
from orchestrator.cli.verb import Verb
from orchestrator.observe.table import cut

if TYPE_CHECKING:
    from pathlib import Path


@click.command(
    "graph",
    cls=Verb,
    examples=("hftstack graph stacks/prod.yaml", "hftstack graph --format dot | dot -Tsvg > prod.svg"),
)
@arguments.stack_file
@click.option(
    "--format", "form", type=click.Choice(["ascii", "mermaid", "dot", "json"]), default="ascii", show_default=True
)
def command(file: Path, *, form: str) -> None:
    """Draw the units of a stack: what each needs, in what condition, and what it does when that is restarted.

    The numbers are generations: units of one generation start together, each as soon as what it needs is there.
    """
    from orchestrator.stack import diagram  # noqa: PLC0415 - pydantic is not help's business

    drawn = diagram.diagram(load(file, os.environ))
    render = {
        "ascii": diagram.to_ascii,
        "mermaid": diagram.to_mermaid,
        "dot": diagram.to_dot,
        "json": diagram.to_json,
    }[form]
    width = terminal.width(sys.stdout) if form == "ascii" else None
    for line in render(drawn):
        click.echo(line if width is None else cut(line, width))
