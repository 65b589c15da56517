"""Starting, stopping and restarting single units of a stack that is supervised."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from orchestrator.engine.connection import call_or_undo, during, reach
from orchestrator.errors import InterruptedByUserError
from orchestrator.supervise.halt import user_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestrator.deployment.homes import StackHome

    Heard = Callable[[dict[str, Any]], None]

_HINT = "hftstack status shows how far it is"


def start(
    home: StackHome,
    units: Sequence[str],
    *,
    timeout: float | None = None,
    heard: Heard = lambda _: None,
    interrupted: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Start units and what they need, and return when each is ready, or will not be.

    Args:
        home: the stack's home.
        units: their names.
        timeout: seconds to wait; None for each unit's own bound.
        heard: takes each event of the supervisor.
        interrupted: called at Ctrl-C, before what this call started is stopped.

    Returns:
        The supervisor's answer: `reached`, `blocked`, `coming` and `started` (names), `units` as `status` has them.

    Raises:
        NotSupervisedError: the stack has no supervisor, or it went away.
        RefusedError: the stack is being stopped.
        InterruptedByUserError: at Ctrl-C, when what this call had started is stopped.
    """
    with reach(home) as client, during(home):
        params = {"units": list(units), "timeout": timeout, "by": _by()}
        return call_or_undo(
            client, "start", params, undo="withdraw", verb="start", heard=heard, interrupted=interrupted
        )


def reset(
    home: StackHome,
    units: Sequence[str],
    *,
    timeout: float | None = None,
    heard: Heard = lambda _: None,
) -> dict[str, Any]:
    """Start those of these units that have failed or wait for their next start, with nothing held against them.

    Args and Raises are those of `start`; Ctrl-C leaves the rest to the supervisor. The answer's `started` (names) are
    the units that it concerned.
    """
    return _ordered(home, "reset", {"units": list(units), "timeout": timeout}, heard)


def stop(
    home: StackHome,
    units: Sequence[str],
    *,
    hurry: bool = False,
    force: bool = False,
    heard: Heard = lambda _: None,
) -> dict[str, Any]:
    """Stop units and what hangs below them, dependents first, and return when their processes are gone.

    Args:
        home: the stack's home.
        units: their names.
        hurry: do not wait for bots.
        force: go on although a bot that is not ours is attached.
        heard: takes each event of the supervisor.

    Returns:
        The supervisor's answer: `stopped` (names), `units` as `status` has them.

    Raises:
        NotSupervisedError: the stack has no supervisor, or it went away.
        RefusedError: a bot that is not ours is attached, or the stack is being stopped.
        InterruptedByUserError: at Ctrl-C; the supervisor goes on.
    """
    return _ordered(home, "stop", {"units": list(units), "hurry": hurry, "force": force}, heard)


def restart(
    home: StackHome,
    units: Sequence[str],
    *,
    timeout: float | None = None,
    force: bool = False,
    heard: Heard = lambda _: None,
) -> dict[str, Any]:
    """Stop units and start them again with what they need, the bots on them too.

    Args and Raises are those of `start` and `stop`; Ctrl-C leaves the rest to the supervisor. The answer has
    `restarted` (names) instead of `started`.
    """
    return _ordered(home, "restart", {"units": list(units), "timeout": timeout, "force": force}, heard)


def _ordered(home: StackHome, method: str, params: dict[str, Any], heard: Heard) -> dict[str, Any]:
    params = {**params, "by": _by()}
    try:
        with reach(home) as client, during(home):
            result: dict[str, Any] = client.call(method, params, heard=lambda _, event: heard(event), patient=True)
            return result
    except KeyboardInterrupt:
        raise InterruptedByUserError(f"the supervisor goes on with the {method}", hint=_HINT) from None


def _by() -> dict[str, str]:
    return {"user": user_name(os.environ)}
