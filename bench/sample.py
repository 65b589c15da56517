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
    """One row of a report. `values` are what was measured, in the report's unit; `remark` is for people."""

    name: str
    values: tuple[float, ...]
    remark: str = ""

    @property
    def count(self) -> int:
        """Return how often it was measured."""
        return len(self.values)

    @property
    def median(self) -> float:
        """Return the median; NaN of nothing."""
        return statistics.median(self.values) if self.values else math.nan

    @property
    def p95(self) -> float:
        """Return the 95th percentile by the nearest rank: a value that was measured; NaN of nothing."""
        if not self.values:
            return math.nan
        return sorted(self.values)[math.ceil(0.95 * self.count) - 1]

    @property
    def worst(self) -> float:
        """Return the largest; NaN of nothing."""
        return max(self.values, default=math.nan)


def counted(name: str, outcomes: Sequence[float | None], verb: str) -> Sample:
    """Return a sample of the successes, None being a failure, with their count in the remark."""
    seconds = tuple(outcome for outcome in outcomes if outcome is not None)
    return Sample(name, seconds, f"{len(seconds)} of {len(outcomes)} {verb}")
