"""What `status` says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.engine.connection import connect

if TYPE_CHECKING:
    from orchestrator.deployment.homes import StackHome


def status(home: StackHome) -> dict[str, Any]:
    """Return the object of `status --format json` (design section 9), of a stack with or without a supervisor.

    Raises RefusedError for a supervisor that cannot be reached, or records that are damaged.
    """
    client = connect(home)
    if client is None:
        from orchestrator.observe import unsupervised  # noqa: PLC0415 - 20 ms that a supervised stack does not need

        return unsupervised.status(home)
    with client:
        result: dict[str, Any] = client.call("status")
        return result
