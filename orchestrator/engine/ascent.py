"""Bringing a prepared stack up: by its supervisor, or as its supervisor."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from orchestrator import files
from orchestrator.deployment import codec, planfile
from orchestrator.engine.connection import asked, call_or_undo, connect, during, launch
from orchestrator.engine.effect import effect
from orchestrator.engine.preparation import render
from orchestrator.errors import HftstackError, RefusedError
from orchestrator.observe import selection
from orchestrator.observe.unsupervised import living
from orchestrator.supervise import halt, lock, records
from orchestrator.supervise.configs import missing
from orchestrator.supervise.launch import become

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from orchestrator.control.client import Client
    from orchestrator.deployment.homes import Home, StackHome
    from orchestrator.deployment.plan import Plan
    from orchestrator.engine.preparation import Preparation

_WITHIN = 30.0


def up(
    preparation: Preparation,
    *,
    environ: Mapping[str, str],
    only: Sequence[str] | None = None,
    timeout: float | None = None,
    reviewed: Callable[[Plan], None] | None = None,
    heard: Callable[[dict[str, Any]], None] = lambda _: None,
    interrupted: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Apply a deployment and return when every unit is ready, or will not be.

    Args:
        preparation: what `prepare` returned.
        environ: the caller's environment, for a supervisor that has to be started.
        only: the units that are brought in and started, with what they need; None for all.
        timeout: seconds to wait for the units; None for each unit's own bound.
        reviewed: takes the plan of what is about to be done, and raises what refuses it.
        heard: takes each event of the supervisor (`unit`, `what`, `text`, `at`).
        interrupted: called at Ctrl-C, before what this call started is stopped.

    Returns:
        The supervisor's answer: `reached`, `blocked` and `coming` (names), `change`, `units` as `status` has them.

    Raises:
        NotSupervisedError: the supervisor went away.
        RefusedError: the stack is halted, or another `up` or `down` is under way.
        InterruptedByUserError: at Ctrl-C, when what this call had started is stopped.
    """
    home, deployment = preparation.home, preparation.deployment
    params = {
        "deployment": codec.plain(deployment),
        "only": only,
        "timeout": timeout,
        "by": preparation.by,
        "plan": _plan(preparation, only, reviewed),
    }

    def apply(hear: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        with _reached(home, environ) as client:
            render(preparation)
            return call_or_undo(client, "apply", params, undo="abort", verb="up", heard=hear, interrupted=interrupted)

    with during(home):
        return asked(apply, heard)


def _plan(
    preparation: Preparation, only: Sequence[str] | None, reviewed: Callable[[Plan], None] | None = None
) -> str | None:
    """Return the digest of what is about to be done, None when the records hide it from us."""
    try:
        found = effect(preparation.deployment, preparation.configs, preparation.home, only=only)
    except HftstackError:
        if reviewed is not None:
            raise
        return None
    if reviewed is not None:
        reviewed(found)
    return planfile.digest(found)


def _reached(home: StackHome, environ: Mapping[str, str]) -> Client:
    """Return a connection to the stack's supervisor, started where there is none; a halted one leaves at once."""
    halt.refuse(home)
    try:
        return connect(home, timeout=_WITHIN) or launch(home, environ, timeout=_WITHIN)
    except HftstackError:
        halt.refuse(home)
        raise


def left_down(preparation: Preparation) -> tuple[str, ...]:
    """Return the units that a boot leaves as they were: stopped by name, failed, finished.

    A stack that went down as a whole is as it was before that; one in which nothing would run is started. Raises
    RefusedError for a damaged record.
    """
    intents = records.read_intents(preparation.home.intent)
    left = intents.aside
    if left is None:
        left = {name: found for name, found in intents.units.items() if found.intent is not records.Intent.UP}
    units = preparation.deployment.units
    down = tuple(spec.name for spec in units if spec.name in left)
    return down if len(down) < len(units) else ()


def stay(preparation: Preparation, *, environ: Mapping[str, str], left: Sequence[str] = ()) -> NoReturn:
    """Become the stack's supervisor in the foreground, and start its units but those of `left`.

    Raises RefusedError when it has one already.
    """
    home = preparation.home
    halt.refuse(home)
    _refuse_supervised(home)
    only = [spec.name for spec in preparation.deployment.units if spec.name not in left] if left else None
    asked = json.dumps({"by": preparation.by, "plan": _plan(preparation, only), "only": only})
    render(preparation)
    path = home.runtime / "bring.json"
    files.replace_file(path, records.seal(preparation.deployment), durable=False)
    become(home, environ, "--deployment", str(path), "--asked", asked)


def take_over(file: Path, home: Home, *, environ: Mapping[str, str]) -> None:
    """Become the supervisor, in the foreground, of units that were started from a file and run on without one.

    They are taken over as they run: what the file says by now, valid or not, is for the next `up`. Returns when none
    of them runs, or one could not be started again without its config, which has to be rendered first. Raises
    RefusedError when the stack has a supervisor already, and for damaged records.
    """
    found = selection.started_from(home, file)
    if found is None or not living(found):
        return
    deployment = records.read_deployment(found.deployment)
    if deployment is not None and not missing(deployment.units):
        _refuse_supervised(found)
        found.prepare()
        become(found, environ)


def _refuse_supervised(home: StackHome) -> None:
    pid = lock.holder(home.lock)
    if pid is not None:
        raise RefusedError(
            f"{home.name} is supervised already, by pid {pid}", hint="`hftstack up` without --foreground changes it"
        )
