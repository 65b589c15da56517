"""What the terminal at the other end can do."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from orchestrator.observe.table import cut


def is_lively(stream: TextIO) -> bool:
    """Tell whether a line may be drawn over: a terminal, and one that knows how."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def has_colour(stream: TextIO) -> bool:
    """Tell whether to colour (no-color.org)."""
    return is_lively(stream) and not os.environ.get("NO_COLOR")


def width(stream: TextIO) -> int | None:
    """Return the columns of the terminal; None when the text goes to a file or a pipe, where nothing is cut."""
    size = _size(stream)
    return None if size is None else size.columns


def height(stream: TextIO) -> int | None:
    """Return the lines of the terminal; None when the text goes elsewhere."""
    size = _size(stream)
    return None if size is None else size.lines


def _size(stream: TextIO) -> os.terminal_size | None:
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return None
    return size if size.columns and size.lines else None


def paint(text: str, colour: int, stream: TextIO) -> str:
    """Return `text` in a colour (the number of its SGR sequence) where the stream has colours."""
    return f"\x1b[{colour}m{text}\x1b[0m" if has_colour(stream) else text


class LiveLine:
    """One line on stderr that is drawn over: what is going on. Says nothing where a line cannot be drawn over."""

    def __init__(self) -> None:
        self._lively = is_lively(sys.stderr)

    def draw(self, text: str) -> None:
        """Show a text in place of the last one; at most the width of the terminal."""
        if self._lively:
            columns = width(sys.stderr) or 80
            sys.stderr.write(f"\r\x1b[K{cut(text, columns - 1)}")
            sys.stderr.flush()

    def erase(self) -> None:
        """Make room for lines that stay."""
        self.draw("")


def say(text: str) -> None:
    """Write progress: to stderr, where it is in nobody's way."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
