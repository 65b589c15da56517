"""Columns of text that fit the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def render(rows: Sequence[Sequence[str]], width: int | None = None) -> list[str]:
    """Return aligned lines; with `width` columns the last column is cut where the terminal ends."""
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.ljust(size) for cell, size in zip(row[:-1], widths[:-1], strict=True)]
        text = "  ".join([*cells, row[-1]]).rstrip()
        if width is not None and len(text) > width:
            text = f"{text[: max(width - 1, 1)]}…"
        lines.append(text)
    return lines


def duration(seconds: float) -> str:
    """Return a duration as a person reads it: 0.06 s, 14 s, 3m20s, 2h05m, 4d03h."""
    if seconds < 10:  # noqa: PLR2004 - below it a fraction says something
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    whole = int(seconds)
    minute, hour, day = 60, 3600, 86400
    if whole < minute:
        return f"{whole} s"
    if whole < hour:
        return f"{whole // minute}m{whole % minute:02}s"
    if whole < day:
        return f"{whole // hour}h{whole % hour // minute:02}m"
    return f"{whole // day}d{whole % day // hour:02}h"
