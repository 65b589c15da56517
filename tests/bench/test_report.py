"""The arithmetic of a report."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import pytest

from bench.report import BYTES, Report
from bench.sample import Sample, counted

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.mark.parametrize(
    ("seconds", "median", "p95", "worst"),
    [
        ([3.0], 3.0, 3.0, 3.0),
        ([4.0, 1.0, 2.0, 3.0], 2.5, 4.0, 4.0),
        ([float(number) for number in range(20, 0, -1)], 10.5, 19.0, 20.0),
        ([float(number) for number in range(1, 101)], 50.5, 95.0, 100.0),
    ],
)
def test_the_p95_is_a_value_that_was_measured(
    seconds: Sequence[float], median: float, p95: float, worst: float
) -> None:
    sample = Sample("x", tuple(seconds))
    assert (sample.median, sample.p95, sample.worst, sample.count) == (median, p95, worst, len(seconds))


def test_nothing_measured_has_no_figures() -> None:
    empty = Sample("x", ())
    assert math.isnan(empty.median)
    assert math.isnan(empty.p95)
    assert math.isnan(empty.worst)


def test_failures_are_counted_and_not_timed() -> None:
    sample = counted("x", [0.2, None, 0.1], "healed")
    assert sample.values == (0.2, 0.1)
    assert sample.remark == "2 of 3 healed"


def test_the_ratio_is_the_first_row_over_the_other() -> None:
    report = Report("speed", (Sample("ours", (0.010, 0.020, 0.030)), Sample("theirs", (0.040,))))
    assert report.ratio(report.samples[1]) == 0.5
    lines = list(report.lines())
    assert lines[2].split() == ["ours", "20.0", "30.0", "30.0", "3"]
    assert lines[3].split() == ["theirs", "40.0", "40.0", "40.0", "1", "0.500"]


def test_json_has_seconds_and_null_for_what_does_not_exist() -> None:
    report = Report("speed", (Sample("ours", (0.5,)), Sample("theirs", ())), ("theirs is not installed",))
    plain = json.loads(json.dumps(report.plain(), allow_nan=False))
    assert [sample["median"] for sample in plain["samples"]] == [0.5, None]
    assert plain["samples"][1]["ratio"] is None
    assert plain["notes"] == ["theirs is not installed"]


def test_what_is_no_duration_is_told_in_its_own_unit() -> None:
    report = Report("memory", (Sample("ours", (3.0 * 2**20,)),), unit=BYTES)
    head, row = list(report.lines())[1:]
    assert (head.split()[0], row.split()[1]) == ("MiB", "3.0")
    plain = report.plain()
    assert plain["unit"] == "bytes"
    assert plain["samples"][0]["bytes"] == (3.0 * 2**20,)


def test_what_answers_different_questions_is_not_compared() -> None:
    report = Report("speed", (Sample("ours", (0.5,)), Sample("theirs", (1.0,))), compared=False)
    assert math.isnan(report.ratio(report.samples[1]))
    assert not any("ratio:" in line for line in report.lines())
