"""Times on the command line: how long, and since when."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Final

import click

from orchestrator.stack import durations

if TYPE_CHECKING:
    from click import Context, Parameter

_SECONDS: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_NANOSECONDS: Final = 1_000_000_000


def _span(_: Context, __: Parameter, value: str | None) -> float | None:
    """Return seconds, of a number or of a duration as in a stack file."""
    if value is None:
        return None
    try:
        return float(value) if _SECONDS.fullmatch(value) else durations.parse(value) / _NANOSECONDS
    except ValueError:
        text = f"{value!r} is neither seconds nor a duration such as 500ms, 10s or 1m30s"
        raise click.BadParameter(text) from None


def _positive(ctx: Context, param: Parameter, value: str | None) -> float | None:
    seconds = _span(ctx, param, value)
    if seconds == 0:
        raise click.BadParameter("0 is no time to wait")
    return seconds


def _instant(_: Context, __: Parameter, value: str | None) -> int | None:
    """Return nanoseconds since the epoch, of an instant or of a duration back from now; without a zone it is local."""
    if value is None:
        return None
    with suppress(ValueError):
        return time.time_ns() - durations.parse(value)
    try:
        return int(datetime.fromisoformat(value).timestamp() * 1_000_000) * 1000
    except (ValueError, OverflowError):
        text = f"{value!r} is neither an instant such as 2026-03-01T21:03:11Z nor a duration such as 10m"
        raise click.BadParameter(text) from None


timeout = click.option("--timeout", callback=_positive, metavar="SECONDS|DURATION", help="Wait no longer.")
"""--timeout, in seconds, more than 0."""

patience = click.option("--timeout", callback=_span, metavar="SECONDS|DURATION", help="Wait no longer; 0 only looks.")
"""--timeout of `wait`, in seconds."""

since = click.option(
    "--since", callback=_instant, metavar="TIME|DURATION", help="From then on, or from so long ago on."
)
"""--since, in nanoseconds since the epoch."""
