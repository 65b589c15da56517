"""What was measured of one thing, and the four numbers that are told of it."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Sample:
    """One row of a report. `seconds` are the measured durations; `remark` is for people."""

    name: str
    seconds: tuple[float, ...]
    remark: str = ""

    @property
    def count(self) -> int:
        """Return how often it was measured."""
        return len(self.seconds)

    @property
    def median(self) -> float:
        """Return the median, in seconds; NaN of nothing."""
        return statistics.median(self.seconds) if self.seconds else math.nan

    @property
    def p95(self) -> float:
        """Return the 95th percentile by the nearest rank, in seconds: a value that was measured; NaN of nothing."""
        if not self.seconds:
            return math.nan
        return sorted(self.seconds)[math.ceil(0.95 * self.count) - 1]

    @property
    def worst(self) -> float:
        """Return the longest, in seconds; NaN of nothing."""
        return max(self.seconds, default=math.nan)


def counted(name: str, outcomes: Sequence[float | None], verb: str) -> Sample:
    """Return a sample of the successes, None being a failure, with their count in the remark."""
    seconds = tuple(outcome for outcome in outcomes if outcome is not None)
    return Sample(name, seconds, f"{len(seconds)} of {len(outcomes)} {verb}")
