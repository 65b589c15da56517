"""The rendered configs: each is kept while a unit may be started from it, and no longer, for it may hold keys."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.deployment.model import UnitSpec
    from orchestrator.supervise.graph import Graph


def missing(specs: Iterable[UnitSpec]) -> tuple[str, ...]:
    """Return the configs of units that are not there."""
    return tuple(file.path for spec in specs for file in spec.files if not os.path.lexists(file.path))


class ConfigFolder:
    """The folder of a stack's configs; what cannot be removed from it stays.

    `spared` are units that may be brought back, with configs that no unit has now.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.spared: tuple[UnitSpec, ...] = ()

    def prune(self, graph: Graph) -> None:
        """Remove what no unit has: what was deployed before, and what an `up` rendered that came to nothing."""
        kept = self._kept(graph)
        with suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.path not in kept:
                    _remove(entry.path)

    def release(self, spec: UnitSpec, graph: Graph) -> None:
        """Remove the configs of a process that has ended when nothing is started from them any more.

        Others that no unit has may be those of an `up` that is about to bring them in.
        """
        kept = self._kept(graph)
        for file in spec.files:
            if file.path not in kept and file.path.startswith(f"{self._folder}/"):
                _remove(file.path)

    def _kept(self, graph: Graph) -> set[str]:
        running = [unit.running for unit in graph.units.values() if unit.running is not None]
        return {file.path for spec in (*graph.specs.values(), *running, *self.spared) for file in spec.files}


def _remove(path: str) -> None:
    with suppress(OSError):
        Path(path).unlink()
