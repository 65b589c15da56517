"""A bench's result: a table for people, or JSON."""

from __future__ import annotations

import json
import math
import os
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.sample import Sample

_HEAD = ("median", "p95", "worst", "n", "ratio", "")


class Unit(NamedTuple):
    """What values are, as JSON says it, and how the table shows them: `factor` times the value is `shown`."""

    name: str
    shown: str
    factor: float


SECONDS: Final = Unit("seconds", "ms", 1e3)
BYTES: Final = Unit("bytes", "MiB", 2.0**-20)
TICKS: Final = Unit("ticks", "ticks", 1.0)


@dataclass(frozen=True, slots=True)
class Report:
    """Samples of one run. `notes` say what was not measured.

    The first one is what the others are compared with; not `compared`: their medians answer different questions.
    """

    name: str
    samples: tuple[Sample, ...]
    notes: tuple[str, ...] = ()
    compared: bool = True
    unit: Unit = SECONDS

    def ratio(self, sample: Sample) -> float:
        """Return the first sample's median over this one's: below 1 the first one is faster."""
        first = self.samples[0]
        return first.median / sample.median if self.compared and sample.median > 0 else math.nan

    def lines(self) -> Iterable[str]:
        """Yield the table."""
        load = os.getloadavg()[0]
        python, kernel = platform.python_version(), platform.release()
        yield f"{self.name}    {os.cpu_count()} cores, load {load:.1f}, Python {python}, Linux {kernel}"
        rows = [(self.unit.shown, *_HEAD), *(self._row(sample) for sample in self.samples)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for row in rows:
            figures = [cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1], strict=True)]
            yield "  ".join([row[0].ljust(widths[0]), *figures, row[-1]]).rstrip()
        if self.compared and len(self.samples) > 1:
            yield f"ratio: the median of {self.samples[0].name} over that of the row"
        yield from (f"note: {note}" for note in self.notes)

    def plain(self) -> dict[str, Any]:
        """Return what `--format json` prints: a number that does not exist is null."""
        return {
            "bench": self.name,
            "unit": self.unit.name,
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
                    self.unit.name: sample.values,
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
        figures = (sample.median, sample.p95, sample.worst)
        return (
            sample.name,
            *(_cell(value * self.unit.factor, 1) for value in figures),
            str(sample.count),
            ratio,
            sample.remark,
        )


def _cell(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
