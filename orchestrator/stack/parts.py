"""The tables of a stack file that are not units: unchangeable, strict, each key with what it means.

Durations become seconds, a timer slack nanoseconds; a scheduler is a policy and its priority; a limit of -1 is
unlimited. The docstrings of the tables and the descriptions of their keys are what `docs/stack-file.md` and the JSON
Schema show: they are for those who write the file.
"""

from __future__ import annotations

from typing import Annotated, Final, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter

from orchestrator.deployment.model import Alarm, Level, OnLimit, OnRestart, OnStale, RestartPolicy
from orchestrator.stack.scalars import (
    Alarms,
    Arguments,
    CargoName,
    Command,
    Cpus,
    CredentialName,
    DailyWindow,
    EnvKey,
    FilePath,
    GitCommit,
    GitUrl,
    LimitName,
    Name,
    QuietHours,
    RegularExpression,
    ResourceLimit,
    Scheduler,
    Size,
    TcpEndpoint,
    fault,
    nanoseconds,
    seconds,
)


class Part(BaseModel):
    """A piece of a stack file: unchangeable, and strict about its keys and types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)


def part_of(annotation: object) -> type[Part] | None:
    """Return the table that a key holds by its annotation, itself or in a table of names; None for other values."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return annotation
    return next((part for argument in get_args(annotation) if (part := part_of(argument)) is not None), None)


Env = Annotated[dict[EnvKey, str], Field(repr=False)]


class Source(Part):
    """Where the connectors' cargo workspace lies: in a folder, or in a git repository at exactly one commit."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["path"]}, {"required": ["git"]}],
            "dependentRequired": {"git": ["rev"], "rev": ["git"]},
        }
    )

    path: FilePath | None = Field(None, description="The workspace's folder.", examples=["../hftbacktest"])
    git: GitUrl | None = Field(
        None,
        description="Instead of `path`: a repository. It is cloned once into the home, at `rev` and with its "
        "submodules, and then used without a network.",
        examples=["https://github.com/nkaz001/hftbacktest"],
    )
    rev: GitCommit | None = Field(
        None,
        description="The commit, in full: a branch or a tag may move after the review.",
        examples=["5f3ec40b5ae0f5ab8eb4e8fd6e1b3b1d4c2a9e77"],
    )


class Require(Part):
    """What must hold of the repository that the stack file lies in, before `up` touches anything: else it refuses.

    What the file required when it was committed holds too, whatever it says now.
    """

    git_clean: bool = Field(
        default=False,
        description="Whether everything must be committed: no tracked file changed, and every file of the stack as the "
        "last commit of its own repository has it.",
        examples=[True],
    )
    branch: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="The branch that must be checked out.", examples=["main"]
    )
    signed: bool = Field(
        default=False,
        description="Whether the commit must have a signature that `git verify-commit` accepts.",
        examples=[True],
    )
    locked: bool = Field(
        default=False,
        description="Whether every `up` holds the stack to the lock beside its file, as with --locked.",
        examples=[True],
    )


SECRET_SOURCES: Final = ("env", "file", "command", "credential")


class Secret(Part):
    """Where a secret comes from; exactly one is set. A config refers to it as `${secret:NAME}`.

    It is read at `up` and not before: who validates or reviews the file need not have it. It is one line of text, or a
    private key in PEM.
    """

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [source]} for source in SECRET_SOURCES]})

    env: EnvKey | None = Field(
        None, description="A variable in the environment of `hftstack up`.", examples=["BINANCE_KEY"]
    )
    file: FilePath | None = Field(
        None, description="A file of yours that nobody else may read or write.", examples=["keys/binance.secret"]
    )
    command: Command | None = Field(
        None,
        description="A program that prints it: no shell, 10 seconds at most, in the stack file's folder with your "
        "environment; one with a slash in its name is relative to the file that names it.",
        examples=[["pass", "show", "binance/key"]],
    )
    credential: CredentialName | None = Field(
        None,
        description="A credential of systemd's (LoadCredential=, LoadCredentialEncrypted=), for `up --foreground`.",
        examples=["binance-key"],
    )
    optional: bool = Field(
        default=False,
        description="Empty when the variable is not set, or there is no such file or credential: without keys a "
        "connector has market data only.",
        examples=[True],
    )


class Build(Part):
    """How cargo builds."""

    profile: CargoName = Field("release", description="Cargo's profile.", examples=["release"])
    default_features: bool = Field(
        default=True, description="Whether the connector's default features are built too.", examples=[False]
    )
    locked: bool | None = Field(
        None,
        description="Whether cargo may not touch Cargo.lock. Without it: locked where a Cargo.lock exists.",
        examples=[True],
    )
    env: Env = Field(default_factory=dict, description="Variables for cargo.", examples=[{"CC": "clang"}])
    rustflags: Arguments = Field(
        (), description="RUSTFLAGS, one flag an item; any value builds a built tree again.",
        examples=[["-Ctarget-cpu=native"]],
    )  # fmt: skip


class Channel(Part):
    """The capacity of every channel, for connectors and bots alike; the first to open a channel fixes it."""

    buffer_size: int = Field(
        10_000, ge=1, le=10_000_000, description="Messages that a subscriber's buffer holds.", examples=[10_000]
    )
    max_bots: int = Field(200, ge=1, le=10_000, description="Bots that a connector can serve.", examples=[200])


class Health(Part):
    """How readiness and freshness are watched."""

    startup: Annotated[float, seconds(at_least="1ms", at_most="24h")] = Field(
        10.0, description="How long the unit may take to become ready; also how long others wait for it.",
        examples=["10s"],
    )  # fmt: skip
    interval: Annotated[float, seconds(at_least="5ms", at_most="1h")] = Field(
        0.1, description="How often the channel's message counters are looked at.", examples=["100ms"]
    )
    stale_after: Annotated[float, seconds(at_least="5ms")] = Field(
        30.0,
        description="After how long without a message the channel is stale: counted from the first message after a "
        "bot attached, and also for a stream whose connection is gone.",
        examples=["30s"],
    )
    first_message: Annotated[float, seconds(at_least="5ms")] | None = Field(
        None,
        description="How long the first message after a bot attached may take; without it, as long as `stale_after`.",
        examples=["10s"],
    )
    min_rate: float = Field(
        0.0,
        ge=0,
        le=1e9,
        description="Messages a second below which the channel is as good as silent, when it stays there for "
        "`stale_after`: orders and errors move it too, so a quoting bot can hide a dead feed.",
        examples=[5],
    )
    on_stale: OnStale = Field(
        OnStale.RESTART,
        strict=False,
        description="What follows: restart the connector, its bots first, as soon as its exchange answers; or only "
        "alert, in `status`, the journal and `notify`.",
        examples=["restart"],
    )
    quiet: tuple[QuietHours, ...] = Field(
        (),
        strict=False,
        description="Parts of the week, or of every day, in which silence is normal.",
        examples=[["Fri 21:00-Sun 22:00 UTC"]],
    )


class Backoff(Part):
    """Delays between restarts; each is spread by up to `jitter` of itself. The first restart is at once."""

    initial: Annotated[float, seconds(at_least="1ms")] = Field(
        0.1, description="The delay before the second restart.", examples=["100ms"]
    )
    factor: float = Field(2.0, ge=1, le=1000, description="What each further delay is multiplied with.", examples=[2])
    maximum: Annotated[float, seconds(at_least="1ms")] = Field(
        30.0, alias="max", description="The longest delay.", examples=["30s"]
    )
    jitter: float = Field(
        0.2, ge=0, le=1, description="The part of itself by which each delay is spread.", examples=[0.2]
    )


class Limit(Part):
    """At most `restarts` restarts in a sliding `window`; then the unit has failed."""

    restarts: int = Field(10, ge=0, le=1_000_000, description="Restarts that are allowed.", examples=[10])
    window: Annotated[float, seconds(at_least="1s")] = Field(
        600.0, description="The sliding window in which they are counted.", examples=["10m"]
    )


class Restart(Part):
    """What follows a unit's own exit, and its age."""

    policy: RestartPolicy = Field(
        RestartPolicy.ON_FAILURE, strict=False,
        description="Whether the unit's own exit starts it again. A bot's default is never, and `defaults` does not "
        "change it: what trades is started again only when its own block says so.",
        examples=["on-failure"],
    )  # fmt: skip
    backoff: Backoff = Field(default_factory=Backoff, description="Delays between restarts.")
    stable: Annotated[float, seconds()] = Field(
        60.0, description="How long the unit must be up for the backoff to begin anew.", examples=["60s"]
    )
    limit: Limit = Field(default_factory=Limit, description="When to give up.")
    on_limit: OnLimit = Field(
        OnLimit.STOP_DEPENDENTS,
        strict=False,
        description="What giving up does: stop all that depends on the unit; halt the whole stack, until `hftstack "
        "resume`; or keep what depends on it running, blind, to end its business itself.",
        examples=["stop-dependents"],
    )
    max_age: Annotated[float, seconds(at_least="1s")] | None = Field(
        None,
        description="How old the unit may become before it is restarted in good order, with what depends on it: "
        "Binance closes each socket after 24 h. Units of one venue take turns. Never taken from `defaults` by a bot.",
        examples=["23h"],
    )
    window: DailyWindow | None = Field(
        None,
        description="The part of the day in which `max_age` may restart; without it, at any time. The unit is "
        "restarted in the last window that opens before it would be older than `max_age`: with less than 24 h, in "
        "each, so a socket gets a day old and no more. It may wrap midnight.",
        examples=["03:00-04:00 UTC"],
    )


class BotRestart(Restart):
    """A bot's restart: what trades must be asked for."""

    policy: RestartPolicy = Field(
        RestartPolicy.NEVER, strict=False, description="Whether the bot's own exit starts it again.",
        examples=["on-failure"],
    )  # fmt: skip


class Stop(Part):
    """How a unit is stopped: SIGKILL comes after `grace`."""

    grace: Annotated[float, seconds(at_most="24h")] = Field(
        5.0, description="How long the unit may take to end; then SIGKILL. A bot's default is 60s, and `defaults` does "
        "not change it: it may flatten its positions first.",
        examples=["5s"],
    )  # fmt: skip


class BotStop(Stop):
    """A bot's stop: it may flatten its positions first."""

    grace: Annotated[float, seconds(at_most="24h")] = Field(
        60.0, description="How long the bot may take to end; then SIGKILL.", examples=["60s"]
    )


class Hooks(Part):
    """Programs that are told what became of a unit, as JSON on stdin; none is ever waited for.

    No shell runs them; one with a slash in its name is relative to the file that names it. They run in the stack file's
    folder with the unit's environment.
    """

    on_failed: Command | None = Field(
        None, description="Run when the unit has failed for good.", examples=[["./page.sh", "failed"]]
    )
    on_halt: Command | None = Field(
        None, description="Run when the unit has been halted.", examples=[["./cancel-orders.sh"]]
    )
    timeout: Annotated[float, seconds(at_least="10ms", at_most="1h")] = Field(
        30.0, description="How long a hook may run; then it is killed.", examples=["30s"]
    )


class Notify(Part):
    """Whom to tell when something is wrong with any unit: a program that gets the event as JSON on stdin.

    No shell runs it; one with a slash in its name is relative to the file that names it. It runs in the stack file's
    folder with the stack's `env`, and nothing waits for it.
    """

    command: Command = Field(description="The program and its arguments.", examples=[["./alert.sh"]])
    on: Alarms = Field(
        tuple(Alarm),
        description="What to tell: a channel is stale, a unit has failed, a gap in the data has closed, a unit had to "
        "be killed, the stack is unsupervised.",
        examples=[["stale", "failed"]],
    )
    timeout: Annotated[float, seconds(at_least="10ms", at_most="1h")] = Field(
        5.0, description="How long the program may run; then it is killed.", examples=["5s"]
    )


class Logs(Part):
    """How a unit's output is kept on disk: compressed as it is written, without a pipe and without loss.

    `hftstack logs` reads over all of it. What does not fit is removed, the oldest first; on a full disk old output
    gives way before its time, so that no unit's write fails, and `status` and `logs` say how many bytes were lost.
    """

    max_size: Annotated[int, Size("64KiB", "1GiB")] = Field(
        16 << 20, description="How much is written before it is compressed.", examples=["16MiB"]
    )
    max_age: Annotated[float, seconds(at_least="1m")] = Field(
        86_400.0, description="How old output becomes before it is compressed, when it is less than that.",
        examples=["1h"],
    )  # fmt: skip
    keep: Annotated[int, Size("128KiB", "1000GiB")] = Field(
        256 << 20, description="How much room all output of the unit may take on the disk, over its last 20 starts; at "
        "least twice `max_size`.",
        examples=["2GiB"],
    )  # fmt: skip


class Resources(Part):
    """What the kernel grants a unit, set from outside before its program begins. What is not named stays as it is."""

    cpus: Cpus | None = Field(None, description="The cores that the unit may run on.", examples=[[2, 3]])
    nice: int | None = Field(None, ge=-20, le=19, description="Its niceness; below 0 needs a privilege.", examples=[-5])
    scheduler: Scheduler | None = Field(
        None, description="fifo:1 to fifo:99, rr:1 to rr:99 (real time), other, batch or idle.", examples=["fifo:10"]
    )
    timer_slack: Annotated[int, nanoseconds(at_least="1ns", at_most="1s")] | None = Field(
        None, description="How late a timer may be; the kernel's default is 50us.", examples=["50us"]
    )
    limits: dict[LimitName, ResourceLimit] = Field(
        default_factory=dict,
        description="Resource limits (setrlimit(2)) without RLIMIT_: a whole number or unlimited.",
        examples=[{"nofile": 65536}],
    )
    oom_score_adj: int | None = Field(
        None, ge=-1000, le=1000, description="Who is killed last when memory runs out: the lowest.", examples=[-900]
    )


class Dependency(Part):
    """How one unit depends on another."""

    condition: Level = Field(
        Level.READY, strict=False,
        description="The level to wait for; ready is the one that the other unit aims at.",
        examples=["connected"],
    )  # fmt: skip
    on_restart: OnRestart = Field(
        OnRestart.RESTART, strict=False,
        description="What to do when the other unit is restarted: restart too, stop, or keep running.",
        examples=["restart"],
    )  # fmt: skip


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
    """When a service is ready; exactly one is set. A service without it is ready when it runs."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    tcp: TcpEndpoint | None = Field(None, description="This address answers.", examples=["127.0.0.1:3128"])
    execute: Command | None = Field(None, alias="exec", description="This program exits 0.", examples=[["pg_isready"]])
    log: RegularExpression | None = Field(
        None,
        description="A line of the service's output, of which the first 2048 characters count, matches this regular "
        "expression within 10 ms.",
        examples=["listening on"],
    )
