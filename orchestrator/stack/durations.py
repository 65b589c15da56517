"""Durations as people write them: `250ms`, `10s`, `1m30s`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

UNITS: Final = {
    "d": 86_400_000_000_000,
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}
"""Nanoseconds of each unit, the longest first."""

PATTERN: Final = r"^([0-9]{1,12}(\.[0-9]{1,9})?(d|h|ms|m|us|ns|s))+$"
"""What a duration looks like, for a JSON Schema; it does not say that units stand in falling order."""

_PART: Final = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,9}))?(ms|us|ns|d|h|m|s)")
_RANK: Final = {unit: rank for rank, unit in enumerate(UNITS)}


@lru_cache(maxsize=256)
def parse(text: str) -> int:
    """Return the nanoseconds that `text` stands for; a fraction of a nanosecond is dropped.

    Raises:
        ValueError: `text` is no duration, or its units do not stand in falling order, each once.
    """
    total, position, rank = 0, 0, -1
    while position < len(text):
        part = _PART.match(text, position)
        if part is None or _RANK[part[3]] <= rank:
            raise ValueError(text)
        rank, position = _RANK[part[3]], part.end()
        fraction = part[2] or ""
        total += int(part[1] + fraction) * UNITS[part[3]] // 10 ** len(fraction)
    if position == 0:
        raise ValueError(text)
    return total


def render(nanoseconds: int) -> str:
    """Return the shortest text that `parse` reads as `nanoseconds` (at least 0)."""
    parts = []
    rest = nanoseconds
    for unit, size in UNITS.items():
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
