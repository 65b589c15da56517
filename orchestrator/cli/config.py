"""`hftstack config`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from orchestrator.cli import arguments
from orchestrator.cli.stackfile import load
from orchestrator.cli.verb import Verb
from orchestrator.errors import StackError

if TYPE_CHECKING:
    from pathlib import Path


@click.command(
    "config",
    cls=Verb,
    examples=(
        "hftstack config stacks/prod.yaml",
        "hftstack config --format json | jq .connectors",
        "git config diff.hftstack.textconv 'hftstack config --textconv'",
    ),
)
@arguments.stack_file
@click.option("--format", "form", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@click.option("--textconv", is_flag=True, help="The file by itself, valid or not, for git diff.")
def command(file: Path, *, form: str, textconv: bool) -> None:
    """Print a stack in its canonical form: merged, in a stable order, without secrets.

    `extends`, anchors, `env` and `defaults` are merged into each unit; defaults of the format are left out. Values in
    configs and environments are shown as `<redacted>`, but for URLs and what is known to be no secret. A text with
    ${VAR} in it is printed as it is written, so that nothing of your environment is shown. What is printed is a stack
    file again.

    With --textconv nothing but the file is read: variables, `extends` and `defaults` stay as they are, and a file that
    is no stack still gives a text. For git: `stacks/*.yaml diff=hftstack` in .gitattributes, and the last example.
    """
    from orchestrator.stack import canonical, loader, reading, textfile  # noqa: PLC0415 - YAML is not help's business
    from orchestrator.venue.models import PUBLIC  # noqa: PLC0415 - likewise

    if textconv:
        try:
            document = loader.parse(str(file), textfile.decode(textfile.read(file, reading.MOST_BYTES)))
        except (StackError, textfile.UnreadableError) as error:
            click.echo(f"no stack file: {error}")
            return
        data = canonical.written(document, PUBLIC)
    else:
        stack = load(file, os.environ)
        data = canonical.resolved(stack, reading.document_at(file), PUBLIC)
    click.echo(canonical.to_yaml(data) if form == "yaml" else canonical.to_json(data), nl=False)
