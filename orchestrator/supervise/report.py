"""What `status` says: the promise of design section 9, from the graph and what the watch saw."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from orchestrator.deployment.model import Level, reaches
from orchestrator.supervise.graph import unmet
from orchestrator.supervise.sockets import Proof
from orchestrator.supervise.unit import State

if TYPE_CHECKING:
    from orchestrator.deployment.model import UnitSpec
    from orchestrator.supervise.graph import Graph
    from orchestrator.supervise.unit import Unit
    from orchestrator.supervise.watch import View, Watch


def instant(seconds: float) -> str:
    """Return seconds since the epoch as RFC 3339 in UTC, to the millisecond."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def is_reached(unit: Unit, spec: UnitSpec) -> bool:
    """Tell whether a unit is where it should be: at its target, finished, or down because it is not wanted."""
    if not unit.wanted:
        return unit.state in {State.STOPPED, State.FINISHED}
    return unit.state is State.FINISHED or (unit.state is State.UP and reaches(unit.level, spec.target))


def describe(
    name: str,
    graph: Graph,
    *,
    pid: int | None,
    watch: Watch,
    log: str | None,
    log_lost: int,
    now: float,
    wall: float,
) -> dict[str, Any]:
    """Return one unit's object.

    `now` is the loop's clock and `wall` the same instant since the epoch, in seconds; `log_lost` is in bytes.
    """
    unit = graph.units[name]
    spec = graph.used(name)
    view = watch.view(name)
    waits = unmet(graph.specs[name], graph.units, graph.specs) if name in graph.specs else ()
    return {
        "name": name,
        "kind": spec.kind.value,
        "state": unit.state.value,
        "level": None if unit.level is None else unit.level.value,
        "pid": pid,
        "since": instant(wall - (now - (unit.since if unit.begun is None else unit.begun))),
        "restarts": unit.restarts,
        "exit": unit.exit,
        "proven": _proven(unit, spec, watch),
        "channel": None if view is None else _channel(view, now),
        "wanted": unit.wanted,
        "target": spec.target.value,
        "reached": is_reached(unit, spec),
        "why": unit.why,
        "external": spec.external,
        "waits_for": [edge.unit for edge in waits] if unit.state is State.WAITING else [],
        "depends_on": [edge.unit for edge in spec.depends_on],
        "unclean": unit.unclean,
        "log": log,
        "log_lost": log_lost,
        "policy": spec.restart.policy.value,
        "next_start": _next_start(unit, now, wall),
    }


def _next_start(unit: Unit, now: float, wall: float) -> str | None:
    """Return when a unit in backoff is started again."""
    if unit.state is not State.BACKOFF or unit.deadline is None:
        return None
    return instant(wall + unit.deadline - now)


def _proven(unit: Unit, spec: UnitSpec, watch: Watch) -> bool | None:
    """Tell whether the unit's level is proven: a connector's stream, or that a bot is attached; None: no question."""
    view = watch.view(spec.name)
    if view is not None:
        return None if view.proof is Proof.NONE else view.proof is Proof.PROVEN
    return False if unit.level is Level.READY and watch.unverified(spec.attaches) else None


def _channel(view: View, now: float) -> dict[str, Any]:
    reading = view.reading
    version = None if reading is None or reading.version is None else ".".join(map(str, reading.version))
    return {
        "verdict": None if reading is None else reading.verdict.value,
        "iceoryx2": version,
        "bots": [
            *({"pid": link.pid, "written": link.written, "lag": link.lag} for link in view.probe.bots()),
            *({"pid": user, "written": None, "lag": None} for user in (reading and reading.users) or ()),
        ],
        "detail": None if reading is None else reading.detail,
        "rate": None if view.rate is None else round(view.rate, 3),
        "silent": None if view.moved is None else round(max(0.0, now - view.moved), 3),
    }
