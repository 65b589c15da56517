"""What `status` says."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from orchestrator.engine.connection import connect
from orchestrator.observe.drift import drift

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.deployment.homes import StackHome


def status(home: StackHome, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the object of `status --format json` (design section 9), of a stack with or without a supervisor.

    `drift` in it is what has changed since `up`, with regard to `environ`, by default the process's own environment.
    Raises RefusedError for a supervisor that cannot be reached, or records that are damaged.
    """
    found = _found(home)
    running = [unit["name"] for unit in found["units"] if unit["pid"] is not None]
    return {**found, "drift": drift(home, running, os.environ if environ is None else environ)}


def _found(home: StackHome) -> dict[str, Any]:
    client = connect(home)
    if client is None:
        from orchestrator.observe import unsupervised  # noqa: PLC0415 - 20 ms that a supervised stack does not need

        return unsupervised.status(home)
    with client:
        result: dict[str, Any] = client.call("status")
        return result
