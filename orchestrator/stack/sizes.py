"""Sizes in bytes as people write them: `16MiB`, `1.5GB`, `512B`."""

from __future__ import annotations

import re
from typing import Final

UNITS: Final = {
    "GiB": 1 << 30,
    "GB": 1_000_000_000,
    "MiB": 1 << 20,
    "MB": 1_000_000,
    "KiB": 1 << 10,
    "kB": 1_000,
    "B": 1,
}
"""Bytes of each unit."""

PATTERN: Final = r"^[0-9]{1,12}(\.[0-9]{1,3})?(GiB|GB|MiB|MB|KiB|kB|B)$"
"""What a size looks like, for a JSON Schema."""

_SIZE: Final = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,3}))?(GiB|GB|MiB|MB|KiB|kB|B)")


def parse(text: str) -> int:
    """Return the bytes that `text` stands for; a fraction of a byte is dropped. Raises ValueError."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError(text)
    fraction = found[2] or ""
    return int(int(found[1] + fraction) * UNITS[found[3]] // 10 ** len(fraction))


def render(size: int) -> str:
    """Return the shortest text that `parse` reads as `size` bytes (at least 0)."""
    texts = [f"{size // unit}{name}" for name, unit in UNITS.items() if size % unit == 0 and size >= unit]
    return min(texts, key=len, default=f"{size}B")
