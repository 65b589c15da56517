"""Taking a stack down, also one that has lost its supervisor."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

from orchestrator.engine.connection import asked, connect, launch, wait_until_left
from orchestrator.errors import InterruptedByUserError
from orchestrator.supervise import lock
from orchestrator.supervise.halt import user_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.deployment.homes import StackHome


def down(
    home: StackHome,
    *,
    environ: Mapping[str, str],
    hurry: bool = False,
    force: bool = False,
    heard: Callable[[dict[str, Any]], None] = lambda _: None,
    orphaned: Callable[[], None] = lambda: None,
) -> dict[str, Any] | None:
    """Stop a stack in order and return when its supervisor has left; None when nothing of it runs.

    Args:
        home: the stack's home.
        environ: the caller's environment, for a supervisor that has to be started.
        hurry: do not wait for bots.
        force: go on although a bot that is not ours is attached.
        heard: takes each event of the supervisor.
        orphaned: called before the units of a stack without a supervisor are taken over.

    Returns:
        The supervisor's answer: `stopped` (names), `leftovers` by pid, `units` as `status` has them.

    Raises:
        RefusedError: a bot that is not ours is attached.
        NotSupervisedError: the supervisor went away.
        InterruptedByUserError: at Ctrl-C; the supervisor goes on stopping.
    """

    def ask(hear: Callable[[dict[str, Any]], None]) -> dict[str, Any] | None:
        client = connect(home)
        if client is None:
            if not _has_remains(home):
                _forget_configs(home)
                return None
            orphaned()
            home.prepare()
            client = launch(home, environ)
        with client:
            params = {"hurry": hurry, "force": force, "by": {"user": user_name(environ)}}
            result: dict[str, Any] = client.call("down", params, heard=lambda _, event: hear(event), patient=True)
            wait_until_left(client)
            return result

    try:
        return asked(ask, heard)
    except KeyboardInterrupt:
        hint = "hftstack status shows how far it is, hftstack down --now hurries it"
        raise InterruptedByUserError("the supervisor goes on stopping", hint=hint) from None


def _has_remains(home: StackHome) -> bool:
    from orchestrator.observe.unsupervised import remains  # noqa: PLC0415 - for a stack without a supervisor only

    return remains(home)


def _forget_configs(home: StackHome) -> None:
    """Remove the configs, which may hold keys, of a stack that ended without a word, as when all of it was killed.

    Under the supervisor's lock: those of an `up` that has begun are its supervisor's.
    """
    if not home.configs.exists() or (held := lock.acquire(home.lock)) is None:
        return
    try:
        shutil.rmtree(home.configs, ignore_errors=True)
    finally:
        os.close(held)


def is_clean(result: dict[str, Any]) -> bool:
    """Tell whether everything ended as it should, and nothing is left, by the result of `down`."""
    stopped = set(result["stopped"])
    unclean = any(unit["unclean"] for unit in result["units"] if unit["name"] in stopped)
    return not (unclean or result["leftovers"] or any(unit["state"] == "lost" for unit in result["units"]))
