"""The stack as it was declared: validated, merged with its defaults, every path absolute; nothing resolved yet.

The defaults are those of a file that does not say; `load` puts the file's own `defaults:` and `env:` under each unit's
values, so a unit of a loaded stack is complete by itself: its `cwd` is absolute, its `env` holds the stack's too, a
connector has features, a package a binary. Docstrings and descriptions are the reference for those who write the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import ConfigDict, Field, PrivateAttr

from orchestrator.deployment.model import Kind
from orchestrator.errors import Diagnostic, StackError
from orchestrator.stack import graph
from orchestrator.stack.draft import Origin
from orchestrator.stack.parts import (
    BotRestart,
    BotStop,
    Build,
    Channel,
    DependsOn,
    Env,
    Health,
    Hooks,
    Logs,
    Notify,
    Part,
    Ready,
    Require,
    Resources,
    Restart,
    Secret,
    Source,
    Stop,
)
from orchestrator.stack.scalars import (
    Arguments,
    CargoName,
    Command,
    ConfigValue,
    ConnectorType,
    Feature,
    FilePath,
    Name,
    Version,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SIM = "sim"
"""The type of the embedded simulator's connector and bot."""

NOT_BY_HAND = ("features", "env", "depends_on", "resources", "restart", "stop", "hooks", "logs")
"""Keys of a connector that say how to run it, which nobody does with an external one."""

Network = Literal["mainnet", "testnet", "demo", "local"]


class Unit(Part):
    """What all units have in common."""

    cwd: FilePath = Field(
        Path(), description="Where the unit runs. Without it: the folder of the stack file.", examples=["bots"]
    )
    env: Env = Field(
        default_factory=dict,
        description="The unit's variables, over the stack's `env`. Beside them it has PATH, HOME, USER, LANG, TZ, "
        "TMPDIR and XDG_RUNTIME_DIR, nothing else.",
        examples=[{"RUST_LOG": "debug"}],
    )
    depends_on: DependsOn = Field(
        default_factory=dict,
        description="The units that must be ready first, as a list or as a table that says how.",
        examples=[["bf"], {"bf": {"condition": "connected"}}],
    )
    health: Health = Field(default_factory=Health, description="How readiness and freshness are watched.")
    restart: Restart = Field(default_factory=Restart, description="What follows its own exit, and its age.")
    stop: Stop = Field(default_factory=Stop, description="How it is stopped.")
    resources: Resources = Field(default_factory=Resources, description="What the kernel grants it.")
    hooks: Hooks = Field(default_factory=Hooks, description="Programs that are told what became of it.")
    logs: Logs = Field(default_factory=Logs, description="How its output is kept.")
    ignore: dict[str, str] = Field(
        default_factory=dict,
        description="Rules between units that this one breaks on purpose, each with the reason; see docs/rules.",
        examples=[{"shared-core": "the recorder may wait"}],
    )


class Connector(Unit):
    """The programs that link an exchange account to shared memory."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"external": {"const": True}}, "required": ["external"]},
            "then": {"properties": dict.fromkeys(NOT_BY_HAND, False)},
        }
    )

    type: ConnectorType = Field(
        description="What the connector program calls the exchange, or sim for the embedded simulator.",
        examples=["binancefutures"],
    )
    features: Annotated[tuple[Feature, ...], Field(strict=False)] = Field(
        (),
        description="The cargo features that it needs. Without it: its type.",
        examples=[["binancefutures"]],
        json_schema_extra={"minItems": 1},
    )
    config: ConfigValue | None = Field(
        None,
        repr=False,
        description="What it is configured with: a TOML file's path, or the table itself. Only a simulated or external "
        "connector can be without.",
        examples=["bf.toml", {"stream_url": "wss://fstream.binancefuture.com/ws"}],
    )
    external: bool = Field(
        default=False,
        description="It is started by hand: watched, never started or stopped. It then has no features, env, "
        "depends_on, restart, stop, resources, hooks or logs; its config says where its stream is, and its cwd which "
        "iceoryx2 configuration it uses.",
        examples=[True],
    )


class Program(Unit):
    """A unit that runs a command, or a binary of the connectors' cargo workspace.

    It has either `command` or `package`; a simulated bot has neither.
    """

    command: Command | None = Field(
        None,
        description="The program and its arguments; no shell. A program with a slash is relative to `cwd`, any other "
        "is found on the PATH of who runs hftstack. Program and files of code that arguments name are known by their "
        "bytes; modules that they import are not.",
        examples=[["python", "bots/mm.py"]],
    )
    package: CargoName | None = Field(
        None, description="Instead of `command`: a package of the connectors' cargo workspace.", examples=["bot"]
    )
    binary: CargoName | None = Field(
        None, alias="bin", description="The package's binary. Without it: the package's name.", examples=["recorder"]
    )
    args: Arguments = Field((), description="Arguments of a package's binary.", examples=[["bf", "btcusdt"]])


class Service(Program):
    """Any other programs that the stack needs: a proxy, a paper exchange, a database."""

    ready: Ready | None = Field(None, description="When it is ready. Without it: when it runs.")


class Bot(Program):
    """The programs that trade or record through connectors."""

    type: Literal["sim"] | None = Field(
        None, description="sim, instead of `command`: the embedded simulator's bot.", examples=["sim"]
    )
    config: ConfigValue | None = Field(
        None, repr=False, description="What a simulated bot is configured with.", examples=[{"faults": {}}]
    )
    attached: bool = Field(
        default=False,
        description="Whether it must be seen on the channel of each connector that it depends on. Without it: true for "
        "a bot that depends on connectors.",
        examples=[False],
    )
    restart: BotRestart = Field(
        default_factory=BotRestart, description="What follows its own exit; see `restart` of all units."
    )
    stop: BotStop = Field(default_factory=BotStop, description="How it is stopped.")


class Defaults(Part):
    """What units have unless they say otherwise.

    `restart.policy`, `restart.max_age`, `restart.window` and `stop.grace` never reach a bot, and nothing an external
    connector.
    """

    restart: Restart = Field(default_factory=Restart, description="For every unit's `restart`.")
    health: Health = Field(default_factory=Health, description="For every unit's `health`.")
    stop: Stop = Field(default_factory=Stop, description="For every unit's `stop`.")
    hooks: Hooks = Field(default_factory=Hooks, description="For every unit's `hooks`.")
    logs: Logs = Field(default_factory=Logs, description="For every unit's `logs`.")


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

    version: Version = Field(1, description="The format's version.", examples=[1])
    extends: FilePath | None = Field(
        None,
        description="A stack file that this one completes: tables are merged, key by key and at any depth; everything "
        "else, lists too, is replaced. That file may extend another one, and may be incomplete by itself.",
        examples=["base.yaml"],
    )
    name: Name = Field("", description="Unique on a machine. Without it: the file's stem.", examples=["prod"])
    network: Network = Field(description="Every URL of every connector must belong to it.", examples=["testnet"])
    allow_hosts: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        (),
        description="Hosts in connectors' URLs that are no exchange's, such as a proxy or a paper exchange.",
        examples=[["proxy.internal"]],
    )
    source: Source | None = Field(
        None,
        description="Where the connectors' cargo workspace lies. Without it: the nearest one from the file upwards, "
        "else the folder that HFTBACKTEST_ROOT names.",
    )
    build: Build = Field(default_factory=Build, description="How cargo builds.")
    rollback: bool = Field(
        default=False,
        description="Whether a change is taken back, with all that hangs on it, when a unit that it adds or restarts "
        "does not become ready: `up` then brings back what ran before, and exits 5.",
        examples=[True],
    )
    require: Require | None = Field(
        None, description="What must hold of the file's git repository before `up` does anything."
    )
    channel: Channel | None = Field(
        None, description="The capacity of every channel. Without it: the program's own defaults."
    )
    env: Env = Field(default_factory=dict, description="Variables of every unit.", examples=[{"RUST_LOG": "info"}])
    secrets: dict[Name, Secret] = Field(
        default_factory=dict,
        description="Keys and the like, by name: where each comes from, never what it is. A config, inline or in a "
        "TOML file, refers to one as `${secret:NAME}`.",
        examples=[{"bf_key": {"env": "BINANCE_KEY"}}],
    )
    notify: Notify | None = Field(None, description="Whom to tell when something is wrong.")
    defaults: Defaults = Field(default_factory=Defaults, description="What units have unless they say otherwise.")
    connectors: dict[Name, Connector] = Field(default_factory=dict, description="The connectors, by name.")
    services: dict[Name, Service] = Field(default_factory=dict, description="The services, by name.")
    bots: dict[Name, Bot] = Field(default_factory=dict, description="The bots, by name.")

    _file: Path = PrivateAttr(default=Path())
    _configs: dict[str, Config] = PrivateAttr(default_factory=dict)
    _remarks: tuple[Diagnostic, ...] = PrivateAttr(default=())
    _origin: Origin | None = PrivateAttr(default=None)

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

    def with_origin(
        self,
        file: Path,
        configs: Mapping[str, Config],
        remarks: Sequence[Diagnostic] = (),
        origin: Origin | None = None,
    ) -> Stack:
        """Return this stack as read from `file`, with its units' configs by unit, and what was said of it."""
        stack = self.model_copy()
        stack._file = file  # noqa: SLF001 - a copy of our own
        stack._configs = dict(configs)  # noqa: SLF001
        stack._remarks = tuple(sorted(remarks, key=lambda r: (r.file, r.line, r.column, r.message)))  # noqa: SLF001
        stack._origin = origin  # noqa: SLF001
        return stack

    def check_filled(self, tables: Mapping[str, Mapping[str, object]]) -> None:
        """Judge units' configs again whose secrets are filled in, by the rules that the file was loaded with.

        Raises StackError, which shows nothing of them but hosts and keys.
        """
        mistakes = () if self._origin is None else self._origin.mistakes(tables)
        if mistakes:
            raise StackError(mistakes)

    def sources(self) -> dict[Path, bytes]:
        """Return the files that say what this stack is, by absolute path: stack files, and configs in TOML."""
        found = {} if self._origin is None else dict(self._origin.contents)
        for config in self._configs.values():
            if config.path is not None and config.content is not None:
                found[config.path] = config.content
        return found

    def place(self, pointer: str) -> str:
        """Return where the key at a JSON pointer stands, as file:line:column."""
        return str(self._file) if self._origin is None else self._origin.place(pointer)

    def is_given(self, *parts: str) -> bool:
        """Tell whether the caller's environment has a part in what `parts` lead to, a text or a table of texts."""
        return self._origin is not None and self._origin.is_given(parts)

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
