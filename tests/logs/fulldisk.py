"""A file system that is small enough to be filled."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def fill(folder: Path) -> None:
    """Take all the room that a file system has."""
    with suppress(OSError), (folder / "ballast").open("ab", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
