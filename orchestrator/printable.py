"""Text as a terminal may be given it: what it would obey, or not show as itself, stands there as an escape.

Standard library only: the supervisor writes to terminals too.
"""

from __future__ import annotations

import json
import re
from typing import Final

_KEPT: Final = re.compile(r"(\n|\t|\x1b\[(?:[0-2]|[39][0-7])m)")
"""Ends of lines, tabs, and colours: bold and faint too, but nothing by which text would hide."""


def printable(text: str) -> str:
    """Return `text` on one line, as JSON escapes what is not printable: controls, and what turns the writing around."""
    return text if text.isprintable() else "".join(map(_seen, text))


def screened(text: str) -> str:
    """Return `text` of any number of lines; tabs and colours stay."""
    if text.isprintable():
        return text
    parts = _KEPT.split(text)
    parts[::2] = map(printable, parts[::2])
    return "".join(parts)


def _seen(character: str) -> str:
    if character.isprintable():
        return character
    return "\\u007f" if character == "\x7f" else json.dumps(character)[1:-1]
