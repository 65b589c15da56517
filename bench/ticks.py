"""When a bot saw the market: the line `first tick ... at=NANOSECONDS` that the paper bot prints."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bench.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

_FIRST = re.compile(rb"^first tick .* at=(\d+)$", re.MULTILINE)
_NEWEST = 2


def first_tick(logs: Path, after: int, seconds: float) -> int:
    """Return the first tick of a bot that logs to this folder, a file a start, in nanoseconds since the epoch.

    Ticks before `after` are another start's. Raises NotSeenError.
    """

    def look() -> int:
        newest = sorted(logs.glob("*.log"))[-_NEWEST:]
        found = [int(at) for file in newest for at in _FIRST.findall(file.read_bytes())]
        return min((at for at in found if at > after), default=0)

    return until(f"first tick in {logs}", look, seconds)
