"""Columns of text that fit the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_WORTH_READING: Final = 16
"""Columns that the last one keeps before others give way to it."""


def render(rows: Sequence[Sequence[str]], width: int | None = None, expendable: Sequence[int] = ()) -> list[str]:
    """Return aligned lines of at most `width` columns, of any length for None.

    Where the terminal is too narrow, the columns in `expendable` go, in that order; then the last one is cut.
    """
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    kept = _kept(widths, width, expendable)
    lines = []
    for row in rows:
        cells = [row[column].ljust(widths[column]) for column in kept[:-1]]
        lines.append(cut("  ".join([*cells, row[kept[-1]]]).rstrip(), width))
    return lines


def _kept(widths: Sequence[int], width: int | None, expendable: Sequence[int]) -> list[int]:
    kept = list(range(len(widths)))
    for column in expendable:
        needed = sum(widths[other] + 2 for other in kept[:-1]) + min(widths[kept[-1]], _WORTH_READING)
        if width is None or needed <= width:
            break
        kept.remove(column)
    return kept


def cut(text: str, width: int | None) -> str:
    """Return `text` in at most `width` columns; what is missing is marked."""
    return text if width is None or len(text) <= width else f"{text[: max(width - 1, 0)]}…"


def duration(seconds: float) -> str:
    """Return a duration as a person reads it: 0.06 s, 14 s, 3m20s, 2h05m, 4d03h."""
    if seconds < 0.995:  # noqa: PLR2004 - what two decimals still show below 1
        return f"{seconds:.2f} s"
    if seconds < 9.95:  # noqa: PLR2004 - what one decimal still shows below 10
        return f"{seconds:.1f} s"
    whole = int(seconds)
    minute, hour, day = 60, 3600, 86400
    if whole < minute:
        return f"{whole} s"
    if whole < hour:
        return f"{whole // minute}m{whole % minute:02}s"
    if whole < day:
        return f"{whole // hour}h{whole % hour // minute:02}m"
    return f"{whole // day}d{whole % day // hour:02}h"
