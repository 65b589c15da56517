"""What dead connectors of a stack left in /dev/shm and iceoryx2's folder, and may be removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.channel import repair
from orchestrator.channel.location import Location

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from orchestrator.doctor.finding import Case


@dataclass(frozen=True, slots=True)
class Remains:
    """The files of one connector's channel that no process uses."""

    unit: str
    paths: tuple[Path, ...]
    size: int
    """Bytes that they take."""


def find(case: Case, tended: Collection[str]) -> tuple[Remains, ...]:
    """Return what could be removed; nothing of a unit that runs, or that is `tended` by a supervisor which wants it up.

    Raises OSError when it could not look.
    """
    found = []
    for spec in case.deployment.units:
        if spec.channel is None or spec.external or spec.name in case.running or spec.name in tended:
            continue
        paths = repair.remains(Location(spec.channel.root, spec.channel.prefix), spec.channel.name)
        if paths:
            found.append(Remains(spec.name, paths, sum(path.stat().st_blocks * 512 for path in paths)))
    return tuple(found)


def remove(remains: Remains) -> tuple[Path, ...]:
    """Remove them, unless somebody uses one of them by now. Returns what was removed. Raises OSError."""
    return repair.remove(remains.paths)
