"""A verb of the command line: a command whose help ends with examples, as they are typed."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

_NARROW: Final = 52
"""Columns below which click would write help as if there were this many."""


class _Help(click.HelpFormatter):
    """Help that fits a narrow terminal too."""

    def __init__(self, indent_increment: int = 2, width: int | None = None, max_width: int | None = None) -> None:
        columns = shutil.get_terminal_size().columns
        narrow = width is None and columns < _NARROW
        super().__init__(indent_increment, columns - indent_increment if narrow else width, max_width)

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write terms and what they mean; a long term stands on a line of its own."""
        super().write_dl(rows, self.width // 3 if self.width < _NARROW else col_max, col_spacing)


class HelpContext(click.Context):
    """A context whose help fits the terminal."""

    formatter_class = _Help


class Verb(click.Command):
    """A command with `examples`, one a line."""

    context_class = HelpContext

    def __init__(self, *args: Any, examples: tuple[str, ...], **attributes: Any) -> None:  # noqa: ANN401 - click's
        super().__init__(*args, **attributes)
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples as they are: click would wrap them."""
        super().format_epilog(ctx, formatter)
        with formatter.section("Examples"):
            for example in self.examples:
                formatter.write(f"{'':{formatter.current_indent}}{example}\n")
