"""Why somebody does what others will find done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click import Context, Parameter


def _said(_: Context, __: Parameter, value: str) -> str:
    """Return the text on one line, without what a terminal would obey."""
    printable = (
        letter if letter.isprintable() or letter.isspace() else "\N{REPLACEMENT CHARACTER}" for letter in value
    )
    text = " ".join("".join(printable).split())
    if not text:
        raise click.BadParameter("whoever finds it so will want to know why")
    return text


reason = click.option("--reason", required=True, metavar="TEXT", callback=_said, help="Why; kept with user and time.")
"""--reason TEXT, which must say something."""
