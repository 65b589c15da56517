"""What ran before a change, and which of the changed units' failures bring it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.deployment.diff import Difference
    from orchestrator.deployment.model import Deployment
    from orchestrator.supervise.settlement import Settlement
    from orchestrator.supervise.supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class Before:
    """What ran: `wanted` are its units that were not stopped, `changed` those that the change adds or restarts."""

    deployment: Deployment
    wanted: tuple[str, ...]
    changed: tuple[str, ...]

    @classmethod
    def of(cls, supervisor: Supervisor, change: Difference) -> Before | None:
        """Return what runs before `change`, None when nothing does."""
        deployment = supervisor.deployment
        if deployment is None or not supervisor.pids():
            return None
        units = supervisor.graph.units
        wanted = tuple(spec.name for spec in deployment.units if spec.name in units and units[spec.name].wanted)
        return cls(deployment, wanted, (*change.added, *change.restarted))

    def culprits(self, settlement: Settlement) -> tuple[str, ...]:
        """Return the changed units that did not reach their target, in time or at all."""
        return tuple(name for name in settlement.blocked if name in self.changed)
