"""A verb of the command line: a command whose help ends with examples, as they are typed."""

from __future__ import annotations

from typing import Any

import click


class Verb(click.Command):
    """A command with `examples`, one a line."""

    def __init__(self, *args: Any, examples: tuple[str, ...], **attributes: Any) -> None:  # noqa: ANN401 - click's
        super().__init__(*args, **attributes)
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples as they are: click would wrap them."""
        super().format_epilog(ctx, formatter)
        with formatter.section("Examples"):
            for example in self.examples:
                formatter.write(f"{'':{formatter.current_indent}}{example}\n")
