"""What the terminal at the other end can do."""

from __future__ import annotations

import io
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from orchestrator.observe.table import cut
from orchestrator.printable import screened

if TYPE_CHECKING:
    from collections.abc import Iterator


class Screen(io.TextIOWrapper):
    """A stream of which nothing commands the terminal but what is meant to: the one place where that is seen to.

    What units, files and records say passes through here to people, their pipes and their logs.
    """

    def __init__(self, stream: io.TextIOWrapper) -> None:
        """Take the place of a stream, which cannot be used any more."""
        encoding = "utf-8" if stream.encoding.lower() in {"ascii", "us-ascii"} else stream.encoding
        options = stream.errors, stream.line_buffering, stream.write_through
        super().__init__(
            stream.detach(),
            encoding,
            options[0],
            line_buffering=options[1],
            write_through=options[2],
        )
        self._is_free = False

    def write(self, text: str) -> int:
        """Write text; tabs, ends of lines and colours are what they are."""
        return super().write(text if self._is_free else screened(text))

    @contextmanager
    def free(self) -> Iterator[None]:
        """Let through whatever is written meanwhile: who draws sees to it that nothing else is."""
        self._is_free = True
        try:
            yield
        finally:
            self._is_free = False


def guard() -> None:
    """Put screens before the program's own streams."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            setattr(sys, name, Screen(stream))


@contextmanager
def drawing(stream: TextIO) -> Iterator[None]:
    """Let what is written to `stream` command the terminal."""
    if isinstance(stream, Screen):
        with stream.free():
            yield
    else:
        yield


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
            with drawing(sys.stderr):
                sys.stderr.write(f"\r\x1b[K{cut(screened(text), columns - 1)}")
            sys.stderr.flush()

    def erase(self) -> None:
        """Make room for lines that stay."""
        self.draw("")


def say(text: str) -> None:
    """Write progress: to stderr, where it is in nobody's way."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
