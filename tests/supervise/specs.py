"""Units and deployments as small as a test needs them."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.deployment.model import (
    Backoff,
    Channel,
    Dependency,
    Deployment,
    File,
    Health,
    Kind,
    Level,
    Limit,
    OnRestart,
    Restart,
    RestartPolicy,
    UnitSpec,
)

TARGET = {Kind.CONNECTOR: Level.CONNECTED, Kind.SERVICE: Level.READY, Kind.BOT: Level.READY}
GRACE = {Kind.CONNECTOR: 5.0, Kind.SERVICE: 5.0, Kind.BOT: 60.0}


def spec(name: str, kind: Kind, *needs: str | Dependency, policy: RestartPolicy | None = None) -> UnitSpec:
    """Return a unit with the defaults of the stack file."""
    if policy is None:
        policy = RestartPolicy.NEVER if kind is Kind.BOT else RestartPolicy.ON_FAILURE
    return UnitSpec(
        name=name,
        kind=kind,
        argv=(f"/bin/{name}",),
        executable=File(f"/bin/{name}", "00"),
        cwd="/",
        env=(),
        target=TARGET[kind],
        depends_on=tuple(need if isinstance(need, Dependency) else Dependency(need) for need in needs),
        channel=Channel(name) if kind is Kind.CONNECTOR else None,
        restart=Restart(policy=policy, backoff=Backoff(jitter=0.0)),
        grace=GRACE[kind],
    )


def connector(name: str, *needs: str | Dependency, policy: RestartPolicy | None = None) -> UnitSpec:
    return spec(name, Kind.CONNECTOR, *needs, policy=policy)


def external(name: str) -> UnitSpec:
    """Return a connector that is started by hand."""
    return replace(connector(name), external=True, executable=None, argv=(), type="bybit")


def service(name: str, *needs: str | Dependency, policy: RestartPolicy | None = None) -> UnitSpec:
    return spec(name, Kind.SERVICE, *needs, policy=policy)


def bot(name: str, *needs: str | Dependency, policy: RestartPolicy | None = None) -> UnitSpec:
    return spec(name, Kind.BOT, *needs, policy=policy)


def on_restart(name: str, choice: OnRestart) -> Dependency:
    return Dependency(name, on_restart=choice)


def limited(unit: UnitSpec, restarts: int, window: float = 600.0) -> UnitSpec:
    return replace(unit, restart=replace(unit.restart, limit=Limit(restarts, window)))


def startup(unit: UnitSpec, seconds: float) -> UnitSpec:
    return replace(unit, health=Health(startup=seconds))


def deployment(*units: UnitSpec) -> Deployment:
    return Deployment(stack="test", file="/test.yaml", network="local", units=units)
