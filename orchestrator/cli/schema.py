"""`hftstack schema`."""

from __future__ import annotations

import click

from orchestrator.cli.verb import Verb
from orchestrator.venue.hosts import VENUES


@click.command(
    "schema",
    cls=Verb,
    examples=("hftstack schema > stack.schema.json", "hftstack schema bybit > bybit.schema.json"),
)
@click.argument("kind", metavar="[TYPE]", required=False, type=click.Choice(list(VENUES)))
def command(kind: str | None) -> None:
    """Print the JSON Schema of stack files; with TYPE, that of a connector's TOML.

    An editor then knows every key: with a YAML language server, of a stack file that begins with
    `# yaml-language-server: $schema=stack.schema.json`; with one for TOML, of a file that begins with
    `#:schema bybit.schema.json`. TYPE is binancefutures, binancespot or bybit.
    """
    if kind is None:
        from orchestrator.stack import schema as stack  # noqa: PLC0415 - pydantic is not help's business

        click.echo(stack.render(), nl=False)
    else:
        from orchestrator.venue import schema as venue  # noqa: PLC0415 - likewise

        click.echo(venue.render(kind), nl=False)
