"""What the writer's logs hold, as their names say: `N.log` of a start, beside it `N.A-B.gz` and `N.A-B.LOST.gone`."""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.chaos.writer import WIDTH, line

if TYPE_CHECKING:
    from pathlib import Path

_SPAN: Final = re.compile(r"(\d+)\.(\d+)-(\d+)\.(?:gz|(\d+)\.gone)")
_LOOKS: Final = 200


@dataclass(frozen=True)
class Written:
    """What a look at a folder of logs has found; `archives` and `lost` (bytes) say that there was something to find."""

    wrong: tuple[str, ...]
    lines: int
    archives: int
    lost: int


def look(folder: Path) -> Written:
    """Read every start's output: each line once, in its place, but for what is marked as given up.

    While it is being rotated, a look that saw the folder change is none.
    """
    for _ in range(_LOOKS):
        before = _names(folder)
        try:
            found = _read(folder, before)
        except FileNotFoundError:
            continue
        if _names(folder) == before:
            return found
    return Written((f"{folder} changes all the time",), 0, 0, 0)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def _read(folder: Path, names: list[str]) -> Written:
    wrong: list[str] = []
    lines = lost = 0
    spans = [
        (match[1], int(match[2]), int(match[3]), match[4], match[0]) for match in map(_SPAN.fullmatch, names) if match
    ]
    for name in names:
        if not name.endswith(".log"):
            continue
        start = name.removesuffix(".log")
        live = (folder / name).read_bytes()
        own = sorted(span for span in spans if span[0] == start)
        at = 0
        while at < len(live):
            archive = next((s for s in own if s[3] is None and s[1] <= at < s[2]), None)
            mark = next((s for s in own if s[3] is not None and s[1] <= at < s[2]), None)
            later = min((s[1] for s in own if s[1] > at), default=len(live))
            if archive is not None:
                data = gzip.decompress((folder / archive[4]).read_bytes())
                if len(data) != archive[2] - archive[1]:
                    wrong.append(f"{archive[4]} holds {len(data)} bytes")
                    break
                data = data[at - archive[1] :]
            elif mark is not None:
                if int(mark[3]) != mark[2] - mark[1]:  # no bound is reached in a round: all of it was given up
                    wrong.append(f"{mark[4]} counts other bytes than it stands for")
                lost += min(mark[2], later) - at
                at = min(mark[2], later)
                continue
            else:
                data = live[at:later]
            wrong += _misplaced(f"{folder.name}/{name}", at, data)
            lines += len(data) // WIDTH
            at += len(data)
    return Written(tuple(wrong[:5]), lines, sum(span[3] is None for span in spans), lost)


def _misplaced(name: str, at: int, data: bytes) -> list[str]:
    if at % WIDTH:
        return [f"{name}: byte {at} is within a line"]
    for place in range(0, len(data), WIDTH):
        found, expected = data[place : place + WIDTH], line((at + place) // WIDTH)
        if found != expected and not (place + WIDTH > len(data) and expected.startswith(found)):
            return [f"{name}: byte {at + place} has {found!r}, not {expected!r}"]
    return []
