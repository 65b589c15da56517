"""JSON pointers (RFC 6901) into a stack file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def child(pointer: str, part: str | int) -> str:
    """Return the pointer of the member `part` of what `pointer` points to."""
    if isinstance(part, int):
        return f"{pointer}/{part}"
    return (
        f"{pointer}/{part.replace('~', '~0').replace('/', '~1')}" if "~" in part or "/" in part else f"{pointer}/{part}"
    )


def join(parts: Iterable[str | int]) -> str:
    """Return the pointer that leads through `parts` from the root."""
    pointer = ""
    for part in parts:
        pointer = child(pointer, part)
    return pointer


def split(pointer: str) -> tuple[str, ...]:
    """Return the parts that `pointer` leads through; a list's index stays text."""
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])


def parent(pointer: str) -> str:
    """Return the pointer one step up; the root is its own parent."""
    return pointer.rpartition("/")[0]
