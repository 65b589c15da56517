"""What a unit of a stack says of restarts, resources and readiness, in the deployment's words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.deployment.model import (
    Backoff,
    Dependency,
    Health,
    Kind,
    Level,
    Limit,
    Logs,
    ReadyCheck,
    Resources,
    Restart,
)

if TYPE_CHECKING:
    from orchestrator.stack import model


def target(kind: Kind, *, streams: bool) -> Level:
    """Return the level that `ready` means for a unit; `streams` tells whether a connector's config names any."""
    if kind is not Kind.CONNECTOR:
        return Level.READY
    return Level.CONNECTED if streams else Level.LIVE


def dependencies(unit: model.Unit) -> tuple[Dependency, ...]:
    """Return the edges of a unit, in the file's order; a wait for `ready` is one for the other's own target."""
    return tuple(
        Dependency(name, None if edge.condition is Level.READY else edge.condition, edge.on_restart)
        for name, edge in unit.depends_on.items()
    )


def ready_check(service: model.Service) -> ReadyCheck | None:
    """Return when a service is ready; None: when it runs."""
    check = service.ready
    return None if check is None else ReadyCheck(tcp=check.tcp, execute=check.execute, log=check.log)


def health(unit: model.Unit) -> Health:
    """Return how a unit's readiness is looked at."""
    said = unit.health
    return Health(
        startup=said.startup,
        interval=said.interval,
        stale_after=said.stale_after,
        first_message=said.first_message,
        min_rate=said.min_rate,
        on_stale=said.on_stale,
        quiet=tuple(window for windows in said.quiet for window in windows),
    )


def restart(unit: model.Unit) -> Restart:
    """Return what follows a unit's exit."""
    said = unit.restart
    return Restart(
        policy=said.policy,
        backoff=Backoff(said.backoff.initial, said.backoff.factor, said.backoff.maximum, said.backoff.jitter),
        stable=said.stable,
        limit=Limit(said.limit.restarts, said.limit.window),
        on_limit=said.on_limit,
        max_age=said.max_age,
        window=said.window,
    )


def logs(unit: model.Unit) -> Logs:
    """Return how a unit's output is kept."""
    return Logs(unit.logs.max_size, unit.logs.max_age, unit.logs.keep)


def resources(unit: model.Unit, *, confidential: bool) -> Resources:
    """Return what is set from outside before a unit's program begins.

    A `confidential` unit, whose config holds secrets, leaves no core file unless it is asked for one.
    """
    said = unit.resources
    limits = {"core": 0, **said.limits} if confidential else said.limits
    return Resources(
        cpus=said.cpus,
        nice=said.nice,
        scheduler=said.scheduler,
        timer_slack=said.timer_slack,
        oom_score_adj=said.oom_score_adj,
        limits=tuple(sorted(limits.items())),
    )
