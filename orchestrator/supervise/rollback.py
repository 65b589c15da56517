"""What ran before a change, and which of the changed units' failures bring it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.deployment.diff import difference
from orchestrator.supervise.records import Before

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.deployment.model import Deployment, UnitSpec
    from orchestrator.supervise.settlement import Settlement
    from orchestrator.supervise.supervisor import Supervisor


def before(
    supervisor: Supervisor,
    deployment: Deployment,
    settling: Iterable[UnitSpec],
    by: dict[str, Any],
    unfinished: Before | None,
) -> Before | None:
    """Return what runs before `deployment` is brought in, None when nothing does.

    What an `unfinished` change was made of has never been ready: that one's beginning counts.
    """
    if supervisor.deployment is None or not supervisor.pids():
        return None
    if unfinished is None:
        old, units = supervisor.deployment, supervisor.graph.units
        wanted = tuple(spec.name for spec in old.units if spec.name in units and units[spec.name].wanted)
    else:
        old, wanted = unfinished.deployment, unfinished.wanted
    change = difference(old, deployment)
    names = tuple(spec.name for spec in settling)
    return Before(old, wanted, (*change.added, *change.restarted), names, by["user"], by["commit"], by["dirty"])


def asked_by(changed: Before) -> dict[str, Any]:
    """Return whose change it was, as the journal has it."""
    return {"user": changed.user, "commit": changed.commit, "dirty": changed.dirty}


def culprits(changed: Before, settlement: Settlement) -> tuple[str, ...]:
    """Return the changed units that did not reach their target, in time or at all."""
    return tuple(name for name in settlement.blocked if name in changed.changed)
