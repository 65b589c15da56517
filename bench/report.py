"""A bench's result: a table for people, or JSON."""

from __future__ import annotations

import json
import math
import os
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.sample import Sample

_HEAD = ("ms", "median", "p95", "worst", "n", "ratio", "")


@dataclass(frozen=True, slots=True)
class Report:
    """Samples of one run. `notes` say what was not measured.

    The first one is what the others are compared with; not `compared`: their medians answer different questions.
    """

    name: str
    samples: tuple[Sample, ...]
    notes: tuple[str, ...] = ()
    compared: bool = True

    def ratio(self, sample: Sample) -> float:
        """Return the first sample's median over this one's: below 1 the first one is faster."""
        first = self.samples[0]
        return first.median / sample.median if self.compared and sample.median > 0 else math.nan

    def lines(self) -> Iterable[str]:
        """Yield the table, durations in milliseconds."""
        load = os.getloadavg()[0]
        python, kernel = platform.python_version(), platform.release()
        yield f"{self.name}    {os.cpu_count()} cores, load {load:.1f}, Python {python}, Linux {kernel}"
        rows = [_HEAD, *(self._row(sample) for sample in self.samples)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
        for row in rows:
            figures = [cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1], strict=True)]
            yield "  ".join([row[0].ljust(widths[0]), *figures, row[-1]]).rstrip()
        if self.compared and len(self.samples) > 1:
            yield f"ratio: the median of {self.samples[0].name} over that of the row"
        yield from (f"note: {note}" for note in self.notes)

    def plain(self) -> dict[str, Any]:
        """Return what `--format json` prints: durations in seconds, a number that does not exist as null."""
        return {
            "bench": self.name,
            "cores": os.cpu_count(),
            "load": os.getloadavg()[0],
            "samples": [
                {
                    "name": sample.name,
                    "median": _number(sample.median),
                    "p95": _number(sample.p95),
                    "worst": _number(sample.worst),
                    "n": sample.count,
                    "ratio": _number(self.ratio(sample)),
                    "remark": sample.remark,
                    "seconds": sample.seconds,
                }
                for sample in self.samples
            ],
            "notes": self.notes,
        }

    def show(self, form: str) -> None:
        """Print it as `text` or `json`."""
        print(json.dumps(self.plain()) if form == "json" else "\n".join(self.lines()))

    def _row(self, sample: Sample) -> tuple[str, ...]:
        ratio = "" if sample is self.samples[0] else _cell(self.ratio(sample), 3)
        durations = (sample.median, sample.p95, sample.worst)
        return (sample.name, *(_cell(value * 1e3, 1) for value in durations), str(sample.count), ratio, sample.remark)


def _cell(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
