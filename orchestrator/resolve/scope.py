"""Which units of a stack are brought in, and what the others are deployed from: their secrets are not read."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.deployment.partial import needed
from orchestrator.stack import templates
from orchestrator.stack.model import Connector, Service

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.deployment.model import Deployment, File, UnitSpec
    from orchestrator.stack.model import Bot, Stack


@dataclass(frozen=True, slots=True)
class Scope:
    """The `names` of units that are brought in, and the specs of those that are `deployed`."""

    names: frozenset[str]
    deployed: Mapping[str, UnitSpec]

    @classmethod
    def of(cls, stack: Stack, only: Sequence[str], deployed: Deployment | None) -> Scope:
        """Return the scope of an `up` of the units `only`, which brings in what they need too."""
        edges = {name: () if _is_external(unit) else tuple(unit.depends_on) for _, name, unit in stack.units()}
        specs = {} if deployed is None else {spec.name: spec for spec in deployed.units}
        return cls(frozenset(needed(edges, only)), specs)

    def left(self, name: str, unit: Connector | Service | Bot, table: Mapping[str, object]) -> Left:
        """Return what is known of the config of a unit that is not brought in.

        The secrets in its `table` are taken from what it is deployed with, if that is a unit of the same type.
        """
        spec = self.deployed.get(name)
        if spec is None or not spec.files or isinstance(unit, Service) or spec.type != unit.type:
            return Left(None, table)
        try:
            there: Any = tomllib.loads(Path(spec.files[0].path).read_bytes().decode())
        except (OSError, ValueError):
            return Left(None, table)
        filled = {key: templates.taken(value, there.get(key)) for key, value in table.items()}
        return Left(spec.files[0] if filled == there else None, filled)


@dataclass(frozen=True, slots=True)
class Left:
    """A config that is not rendered: the deployed `file` that says the same, and its table as far as it is known."""

    file: File | None
    table: Mapping[str, object]


def _is_external(unit: Connector | Service | Bot) -> bool:
    return isinstance(unit, Connector) and unit.external
