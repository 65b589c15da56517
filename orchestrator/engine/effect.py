"""What bringing a deployment in does to what runs now: the plan that is shown, and the one that `up` journals."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.control.client import NotSupervisedError
from orchestrator.deployment import codec, digestkey
from orchestrator.deployment.partial import narrowed
from orchestrator.deployment.plan import Blackout, Plan, plan
from orchestrator.engine.connection import connect
from orchestrator.engine.showing import shown
from orchestrator.observe.unsupervised import living
from orchestrator.supervise import records
from orchestrator.supervise.graph import needed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestrator.deployment.homes import StackHome
    from orchestrator.deployment.model import Deployment
    from orchestrator.resolve.configs import Configs


def effect(
    deployment: Deployment,
    configs: Configs,
    home: StackHome,
    *,
    only: Sequence[str] | None = None,
    blackouts: Callable[[], Mapping[str, Blackout]] = dict,
    notes: tuple[str, ...] = (),
) -> Plan:
    """Return what bringing a deployment in does to what runs.

    Args:
        deployment: what is to be.
        configs: those of the deployment, written or not.
        home: the stack's home.
        only: the units that are brought in, with what they need; None for all.
        blackouts: what this machine remembers of each connector; asked for when something runs.
        notes: what a reader should know besides.

    Raises:
        RefusedError: records are damaged, or the units do not fit to the rest as it is deployed.
    """
    alive = _alive(home)
    old = records.read_deployment(home.deployment) if alive else None
    chosen = None
    if only is not None:
        chosen = needed({spec.name: spec for spec in deployment.units}, only)
        deployment = narrowed(old, deployment, chosen)
    key = digestkey.own(home.home)

    def read(path: str) -> bytes | None:
        content = configs.kept(path)
        if content is None and path.startswith(f"{home.configs}/"):
            try:
                return Path(path).read_bytes()
            except OSError:
                return None
        return content

    return plan(
        old,
        deployment,
        alive=alive,
        shown=shown(key, read, old, deployment),
        digests=(None if old is None else digest(key, old), digest(key, deployment)),
        chosen=chosen,
        only=() if only is None else tuple(sorted(set(only))),
        blackouts=blackouts() if old is not None else None,
        notes=notes,
    )


def digest(key: bytes, deployment: Deployment) -> str:
    """Return a keyed digest of what a deployment does; comments in its files are no part of it."""
    apart = {"notify": deployment.notify, "network": deployment.network, "rollback": deployment.rollback}
    text = codec.encode({"units": deployment.units, **apart})
    return digestkey.digest(key, text.encode())


def _alive(home: StackHome) -> set[str]:
    """Return the units that have a process; a supervisor that leaves meanwhile is not needed for that."""
    client = connect(home)
    if client is not None:
        with client, suppress(NotSupervisedError):
            return {unit["name"] for unit in client.call("status")["units"] if unit["pid"] is not None}
    return set(living(home))
