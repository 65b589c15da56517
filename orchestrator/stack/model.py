"""The stack as it was declared: validated, merged with its defaults, every path absolute; nothing resolved yet.

Durations are seconds unless a field says otherwise. The defaults are those of a file that does not say; `load` puts
the file's own `defaults:` and `env:` under each unit's values, so a unit of a loaded stack is complete by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, TypeAdapter

from orchestrator.deployment.model import Kind, Level, OnRestart, RestartPolicy
from orchestrator.errors import Diagnostic  # noqa: TC001 - pydantic reads the annotation
from orchestrator.stack import graph
from orchestrator.stack.scalars import (
    Arguments,
    CargoName,
    Command,
    ConfigValue,
    ConnectorType,
    Cpus,
    EnvKey,
    Feature,
    FilePath,
    LimitName,
    Name,
    RegularExpression,
    ResourceLimit,
    Scheduler,
    TcpEndpoint,
    Version,
    fault,
    nanoseconds,
    seconds,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SIM = "sim"
"""The type of the embedded simulator's connector and bot."""

Network = Literal["mainnet", "testnet", "demo", "local"]


class Part(BaseModel):
    """A piece of a stack file: unchangeable, and strict about its keys and types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)


Env = Annotated[dict[EnvKey, str], Field(repr=False)]


class Source(Part):
    """Where the connectors' cargo workspace lies."""

    path: FilePath


class Build(Part):
    """How cargo builds. `locked` None: locked where a Cargo.lock exists."""

    profile: CargoName = "release"
    default_features: bool = True
    locked: bool | None = None
    env: Env = Field(default_factory=dict)
    rustflags: Arguments = ()


class Channel(Part):
    """The capacity of every channel: messages a subscriber's buffer holds, and bots a connector can serve."""

    buffer_size: int = Field(10_000, ge=1, le=10_000_000)
    max_bots: int = Field(200, ge=1, le=10_000)


class Health(Part):
    """How readiness and freshness are watched, in seconds."""

    startup: Annotated[float, seconds(at_least="1ms", at_most="24h")] = 10.0
    interval: Annotated[float, seconds(at_least="5ms", at_most="1h")] = 0.1
    stale_after: Annotated[float, seconds(at_least="5ms")] = 30.0


class Backoff(Part):
    """Delays between restarts, in seconds; each is spread by up to `jitter` of itself."""

    initial: Annotated[float, seconds(at_least="1ms")] = 0.1
    factor: float = Field(2.0, ge=1, le=1000)
    maximum: Annotated[float, seconds(at_least="1ms")] = Field(30.0, alias="max")
    jitter: float = Field(0.2, ge=0, le=1)


class Limit(Part):
    """At most `restarts` restarts in a sliding window of `window` seconds."""

    restarts: int = Field(10, ge=0, le=1_000_000)
    window: Annotated[float, seconds(at_least="1s")] = 600.0


class Restart(Part):
    """What follows a unit's own exit. `stable` seconds of being up reset the backoff."""

    policy: RestartPolicy = Field(RestartPolicy.ON_FAILURE, strict=False)
    backoff: Backoff = Field(default_factory=Backoff)
    stable: Annotated[float, seconds()] = 60.0
    limit: Limit = Field(default_factory=Limit)
    on_limit: Literal["stop-dependents"] = "stop-dependents"


class BotRestart(Restart):
    """A bot's restart: what trades must be asked for."""

    policy: RestartPolicy = Field(RestartPolicy.NEVER, strict=False)


class Stop(Part):
    """How a unit is stopped: SIGKILL comes after `grace` seconds."""

    grace: Annotated[float, seconds(at_most="24h")] = 5.0


class BotStop(Stop):
    """A bot's stop: it may flatten its positions first."""

    grace: Annotated[float, seconds(at_most="24h")] = 60.0


class Resources(Part):
    """What the kernel grants a unit. None leaves a thing as it is.

    `scheduler` is a policy and its priority; `timer_slack` is in nanoseconds; a limit of -1 is unlimited.
    """

    cpus: Cpus | None = None
    nice: int | None = Field(None, ge=-20, le=19)
    scheduler: Scheduler | None = None
    timer_slack: Annotated[int, nanoseconds(at_least="1ns", at_most="1s")] | None = None
    limits: dict[LimitName, ResourceLimit] = Field(default_factory=dict)
    oom_score_adj: int | None = Field(None, ge=-1000, le=1000)


class Dependency(Part):
    """How one unit depends on another; `ready` is the level that the other aims at."""

    condition: Level = Field(Level.READY, strict=False)
    on_restart: OnRestart = Field(OnRestart.RESTART, strict=False)


_NAMES = TypeAdapter(list[Annotated[str, Field(strict=True)]])


def _named(value: object) -> object:
    if not isinstance(value, list):
        return value
    names = _NAMES.validate_python(value)
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise fault("duplicate-dependency", f'names "{twice}" twice', "name each unit once")
    return {name: {} for name in names}


DependsOn = Annotated[
    dict[str, Dependency],
    BeforeValidator(_named, json_schema_input_type=list[Name] | dict[Name, Dependency]),
]


class Ready(Part):
    """When a service is ready; exactly one is set."""

    tcp: TcpEndpoint | None = None
    execute: Command | None = Field(None, alias="exec")
    log: RegularExpression | None = None


class Unit(Part):
    """What all units have in common. Of a loaded stack, `cwd` is absolute and `env` holds the stack's `env` too."""

    cwd: FilePath = Path()
    env: Env = Field(default_factory=dict)
    depends_on: DependsOn = Field(default_factory=dict)
    health: Health = Field(default_factory=Health)
    restart: Restart = Field(default_factory=Restart)
    stop: Stop = Field(default_factory=Stop)
    resources: Resources = Field(default_factory=Resources)
    ignore: dict[str, str] = Field(
        default_factory=dict,
        description="Rules between units that this one breaks on purpose, each with the reason; see docs/rules.",
        examples=[{"shared-core": "the recorder may wait"}],
    )


class Connector(Unit):
    """A connector. `config` is a TOML file's path as it was written, or the table itself; see `Stack.config`."""

    type: ConnectorType
    features: Annotated[tuple[Feature, ...], Field(strict=False)] = ()
    config: ConfigValue | None = Field(None, repr=False)


class Program(Unit):
    """A unit that runs a command, or a binary of the connectors' cargo workspace.

    Exactly one of `command` and `package` is set (neither in a simulated bot). `binary` is set when `package` is.
    """

    command: Command | None = None
    package: CargoName | None = None
    binary: CargoName | None = Field(None, alias="bin")
    args: Arguments = ()


class Service(Program):
    """Any other program that the stack needs."""

    ready: Ready | None = None


class Bot(Program):
    """A program that trades or records. `attached`: it must be seen on the channels of its connectors."""

    type: Literal["sim"] | None = None
    config: ConfigValue | None = Field(None, repr=False)
    attached: bool = False
    restart: BotRestart = Field(default_factory=BotRestart)
    stop: BotStop = Field(default_factory=BotStop)


class Defaults(Part):
    """What units have unless they say otherwise; `restart.policy` and `stop.grace` never reach a bot."""

    restart: Restart = Field(default_factory=Restart)
    health: Health = Field(default_factory=Health)
    stop: Stop = Field(default_factory=Stop)


@dataclass(frozen=True, slots=True)
class Config:
    """What a connector or a simulated bot is configured with.

    `path` and `content` belong to a file and are None for an inline table. `table` may hold secrets: never print it.
    """

    table: Mapping[str, object] = field(repr=False)
    path: Path | None = None
    content: bytes | None = field(default=None, repr=False)


class Stack(Part):
    """A whole stack file."""

    model_config = ConfigDict(json_schema_extra={"patternProperties": {"^x-": {}}})

    version: Version = 1
    name: Name = ""
    network: Network
    allow_hosts: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        (),
        description="Hosts in connectors' URLs that are no exchange's, such as a proxy or a paper exchange.",
        examples=[["proxy.internal"]],
    )
    source: Source | None = None
    build: Build = Field(default_factory=Build)
    channel: Channel | None = None
    env: Env = Field(default_factory=dict)
    defaults: Defaults = Field(default_factory=Defaults)
    connectors: dict[Name, Connector] = Field(default_factory=dict)
    services: dict[Name, Service] = Field(default_factory=dict)
    bots: dict[Name, Bot] = Field(default_factory=dict)

    _file: Path = PrivateAttr(default=Path())
    _configs: dict[str, Config] = PrivateAttr(default_factory=dict)
    _remarks: tuple[Diagnostic, ...] = PrivateAttr(default=())

    @property
    def file(self) -> Path:
        """The stack file's absolute path."""
        return self._file

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What its owner should know, though it is valid."""
        return tuple(remark for remark in self._remarks if remark.ignored is None)

    @property
    def ignored(self) -> tuple[Diagnostic, ...]:
        """What its rules found and the file gives a reason to ignore."""
        return tuple(remark for remark in self._remarks if remark.ignored is not None)

    def with_origin(self, file: Path, configs: Mapping[str, Config], remarks: Sequence[Diagnostic] = ()) -> Stack:
        """Return this stack as read from `file`, with its units' configs by unit, and what was said of it."""
        stack = self.model_copy()
        stack._file = file  # noqa: SLF001 - a copy of our own
        stack._configs = dict(configs)  # noqa: SLF001
        stack._remarks = tuple(sorted(remarks, key=lambda r: (r.file, r.line, r.column, r.message)))  # noqa: SLF001
        return stack

    def units(self) -> Iterator[tuple[Kind, str, Connector | Service | Bot]]:
        """Yield kind, name and unit: connectors, services, bots, each in the file's order."""
        for name, connector in self.connectors.items():
            yield Kind.CONNECTOR, name, connector
        for name, service in self.services.items():
            yield Kind.SERVICE, name, service
        for name, bot in self.bots.items():
            yield Kind.BOT, name, bot

    def order(self) -> tuple[str, ...]:
        """Return all unit names, dependencies first, otherwise in the order of `units`."""
        return graph.order({name: tuple(unit.depends_on) for _, name, unit in self.units()})

    def config(self, name: str) -> Config | None:
        """Return what the unit of that name is configured with; None for a unit without a config."""
        return self._configs.get(name)
