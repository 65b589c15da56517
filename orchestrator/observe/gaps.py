"""The gap ledger: when no fresh data came over a stack's channels, for people and to join with recorded data."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from typing import TYPE_CHECKING, Any, Final

from orchestrator.deployment.model import Kind
from orchestrator.errors import HftstackError
from orchestrator.observe.events import damaged, instant
from orchestrator.observe.table import duration, render
from orchestrator.supervise import gaps as rules
from orchestrator.supervise import journal, records

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.deployment.homes import StackHome
    from orchestrator.supervise.gaps import Gap

COLUMNS: Final = ("unit", "start", "end", "cause", "planned", "known")
_HEAD: Final = ("UNIT", "START", "FOR", "CAUSE")


def connectors(home: StackHome) -> tuple[str, ...]:
    """Return the connectors that are deployed; none when that cannot be read."""
    try:
        deployment = records.read_deployment(home.deployment)
    except HftstackError:
        return ()
    return () if deployment is None else tuple(spec.name for spec in deployment.units if spec.kind is Kind.CONNECTOR)


def gaps(home: StackHome, units: Sequence[str] = (), since: int = 0) -> list[Gap]:
    """Return the gaps of `units`, none for all connectors, that went on after `since`, in nanoseconds since the epoch.

    In the order of their beginnings. Raises RefusedError for a journal that cannot be read.
    """
    try:
        found = rules.gaps(journal.read(home.journal), connectors(home))
    except sqlite3.Error as error:
        raise damaged(home.journal, error) from None
    return [gap for gap in found if (not units or gap.unit in units) and (gap.end is None or gap.end > since)]


def as_json(gap: Gap) -> dict[str, Any]:
    """Return a gap as `gaps --format json` has it: `start` and `end` in nanoseconds since the epoch."""
    return {column: getattr(gap, column) for column in COLUMNS}


def lines(found: Sequence[Gap], form: str, *, now: int, width: int | None) -> Iterator[str]:
    """Yield the gaps as text, csv or json; `now` in nanoseconds since the epoch, `width` in columns, None for any."""
    if form == "json":
        yield from (json.dumps(as_json(gap)) for gap in found)
    elif form == "csv":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for gap in found:
            writer.writerow([int(cell) if isinstance(cell, bool) else cell for cell in as_json(gap).values()])
        yield from text.getvalue().splitlines()
    else:
        yield from render([_HEAD, *(_row(gap, now) for gap in found)], width)


def _row(gap: Gap, now: int) -> tuple[str, ...]:
    lasted = duration(max(0, (now if gap.end is None else gap.end) - gap.start) / 1e9)
    remarks = [*(["planned"] if gap.planned else []), *([] if gap.known else ["data may have come"])]
    remark = f" ({', '.join(remarks)})" if remarks else ""
    return gap.unit, instant(gap.start), lasted if gap.end is not None else f"{lasted} so far", f"{gap.cause}{remark}"
