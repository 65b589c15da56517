"""What the terminal at the other end can do."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TextIO


def is_lively(stream: TextIO) -> bool:
    """Tell whether a line may be drawn over: a terminal, and one that knows how."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def has_colour(stream: TextIO) -> bool:
    """Tell whether to colour (no-color.org)."""
    return is_lively(stream) and not os.environ.get("NO_COLOR")


def width(stream: TextIO) -> int | None:
    """Return the columns of the terminal; None when the text goes to a file or a pipe, where nothing is cut."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def say(text: str) -> None:
    """Write progress: to stderr, where it is in nobody's way."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
