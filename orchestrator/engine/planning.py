"""What an `up` would do, found without touching anything."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from orchestrator.deployment import codec, digestkey
from orchestrator.deployment.changes import UNBUILT
from orchestrator.deployment.plan import Blackout, Plan, plan
from orchestrator.engine.connection import connect
from orchestrator.engine.preparation import refuse_another
from orchestrator.engine.showing import shown
from orchestrator.errors import HftstackError
from orchestrator.observe import gaps
from orchestrator.observe.unsupervised import living
from orchestrator.resolve import build_request, expected, resolve
from orchestrator.resolve.configs import Configs
from orchestrator.supervise import halt, records

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.build import BuildRequest, BuildResult
    from orchestrator.deployment.homes import StackHome
    from orchestrator.deployment.model import Deployment
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
) -> Plan:
    """Return what `up` would do with a stack.

    Args:
        stack: what was loaded.
        home: the stack's home.
        environ: the caller's environment.
        build: does what `orchestrator.build.ensure` does; None takes the binaries of an earlier build.

    Raises:
        BuildError, ResolveError, ChannelConfigError: as `preparation.prepare`.
        RefusedError: a stack of that name runs from another file, or records are damaged.
    """
    home.prepare()
    refuse_another(stack, home)
    request = None if build is None else build_request(stack, home=home)
    binaries = expected(stack, home=home) if build is None or request is None else build(request)
    configs = Configs(home.configs)
    deployment = resolve(stack, home=home, binaries=binaries, environ=environ, configs=configs)
    notes = [*_unbuilt(deployment, binaries, asked=build is not None), *map(ignored, stack.ignored)]
    latched = halt.latched(home)
    if latched is not None:
        notes.append(f"the stack is halted ({latched.reason}): `up` is refused until `hftstack resume`")
    return compared(deployment, configs, home, notes=tuple(notes))


def compared(deployment: Deployment, configs: Configs, home: StackHome, *, notes: tuple[str, ...] = ()) -> Plan:
    """Return what bringing a deployment in does to what runs. Raises RefusedError for damaged records."""
    alive = _alive(home)
    old = records.read_deployment(home.deployment) if alive else None
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
        blackouts=_blackouts(home) if old is not None else None,
        notes=notes,
    )


def digest(key: bytes, deployment: Deployment) -> str:
    """Return a keyed digest of a deployment's units; comments in its files are no part of it."""
    text = codec.encode({"units": deployment.units, "notify": deployment.notify, "network": deployment.network})
    return digestkey.digest(key, text.encode())


def _alive(home: StackHome) -> set[str]:
    client = connect(home)
    if client is None:
        return set(living(home))
    with client:
        return {unit["name"] for unit in client.call("status")["units"] if unit["pid"] is not None}


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
