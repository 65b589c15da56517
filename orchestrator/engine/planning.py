"""What an `up` would do, found without touching anything."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final

from orchestrator.deployment.changes import UNBUILT
from orchestrator.deployment.plan import Blackout
from orchestrator.engine.effect import effect
from orchestrator.engine.preparation import refuse_another, scope_of
from orchestrator.errors import HftstackError
from orchestrator.observe import gaps
from orchestrator.resolve import build_request, expected, resolve
from orchestrator.resolve.configs import Configs
from orchestrator.supervise import halt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestrator.build import BuildRequest, BuildResult
    from orchestrator.deployment.homes import StackHome
    from orchestrator.deployment.model import Deployment
    from orchestrator.deployment.plan import Plan
    from orchestrator.errors import Diagnostic
    from orchestrator.stack.model import Stack

_CHANGES: Final = ("restarted by the operator", "changed: ", "older than its max_age")
"""What the cause of a gap begins with that an `up` would make again; a `down` may last for days."""


def planned(
    stack: Stack,
    home: StackHome,
    *,
    environ: Mapping[str, str],
    build: Callable[[BuildRequest], BuildResult] | None,
    only: Sequence[str] | None = None,
) -> Plan:
    """Return what `up` would do with a stack.

    Args:
        stack: what was loaded.
        home: the stack's home.
        environ: the caller's environment.
        build: does what `orchestrator.build.ensure` does; None takes the binaries of an earlier build.
        only: the units that it would be given; None for all.

    Raises:
        BuildError, ResolveError, ChannelConfigError: as `preparation.prepare`.
        RefusedError: a stack of that name runs from another file, or records are damaged.
    """
    home.prepare()
    refuse_another(stack, home)
    request = None if build is None else build_request(stack, home=home)
    binaries = expected(stack, home=home) if build is None or request is None else build(request)
    configs = Configs(home.configs)
    scope = scope_of(stack, home, only)
    deployment = resolve(stack, home=home, binaries=binaries, environ=environ, configs=configs, scope=scope)
    notes = [*_unbuilt(deployment, binaries, asked=build is not None), *map(ignored, stack.ignored)]
    latched = halt.latched(home)
    if latched is not None:
        notes.append(f"the stack is halted ({latched.reason}): `up` is refused until `hftstack resume`")
    return effect(deployment, configs, home, only=only, blackouts=lambda: _blackouts(home), notes=tuple(notes))


def _blackouts(home: StackHome) -> dict[str, Blackout]:
    """Return how long changes darkened each channel; what cannot be read is not known."""
    try:
        found = gaps.gaps(home)
    except HftstackError:
        return {}
    seconds: dict[str, list[float]] = {}
    for gap in found:
        if gap.known and gap.end is not None and gap.cause.startswith(_CHANGES):
            seconds.setdefault(gap.unit, []).append((gap.end - gap.start) / 1e9)
    return {unit: Blackout(round(median(all_), 3), round(max(all_), 3), len(all_)) for unit, all_ in seconds.items()}


def _unbuilt(deployment: Deployment, binaries: BuildResult | None, *, asked: bool) -> list[str]:
    if binaries is None or asked:
        return []
    missing = [u.name for u in deployment.units if u.executable is not None and u.executable.sha256 == UNBUILT]
    if missing:
        return [f"to be built: the programs of {', '.join(missing)}"]
    return ["nothing was built: binaries are those of an earlier build, `up` asks cargo first (plan --build does too)"]


def ignored(remark: Diagnostic) -> str:
    """Return a rule that the stack file gives a reason to live with."""
    return f"ignored: {remark.rule} at {remark.file}:{remark.line}: {remark.ignored}"
