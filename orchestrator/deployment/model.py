"""What the supervisor accepts: nothing left to decide, every path absolute, every binary and config known by digest.

Standard library only: the supervisor decodes this without pydantic. All durations are seconds, all sizes bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

FORMAT: Final = 3
"""Version of the encoded form; a supervisor refuses what it does not know. Whoever adds a key to it counts up."""


UNREAD: Final = "unread"
"""Stands for the digest of a config whose secrets were not read, so that it is nowhere: only `up` can render it."""


class Kind(StrEnum):
    """What a unit is to the stack."""

    CONNECTOR = "connector"
    SERVICE = "service"
    BOT = "bot"


class Level(StrEnum):
    """A rung of readiness. Connectors climb started, live, connected, fresh; services and bots started, ready."""

    STARTED = "started"
    LIVE = "live"
    CONNECTED = "connected"
    FRESH = "fresh"
    READY = "ready"


_RUNGS: Final = {Level.STARTED: 1, Level.LIVE: 2, Level.CONNECTED: 3, Level.READY: 3, Level.FRESH: 4}


def reaches(level: Level | None, target: Level) -> bool:
    """Tell whether `level` is at or above `target`; None, a unit that is not started, reaches nothing."""
    return level is not None and _RUNGS[level] >= _RUNGS[target]


class OnRestart(StrEnum):
    """What a unit does when a dependency is restarted."""

    RESTART = "restart"
    STOP = "stop"
    KEEP = "keep"


class RestartPolicy(StrEnum):
    """Whether a unit's own exit starts it again."""

    NEVER = "never"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Dependency:
    """An edge of the graph.

    `condition` None means that the dependency's own target is reached (`ready` in the stack file).
    """

    unit: str
    condition: Level | None = None
    on_restart: OnRestart = OnRestart.RESTART


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays between restarts, in seconds: the first restart is immediate, then initial * factor**n up to maximum.

    Each delay is spread by up to `jitter` of itself, in both directions.
    """

    initial: float = 0.1
    factor: float = 2.0
    maximum: float = 30.0
    jitter: float = 0.2


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `restarts` restarts in a sliding window of `window` seconds; then the unit has failed."""

    restarts: int = 10
    window: float = 600.0


@dataclass(frozen=True, slots=True)
class Window:
    """A part of every UTC day, in seconds since its midnight, `end` excluded; it wraps when `end` is below `begin`."""

    begin: int
    end: int


class OnLimit(StrEnum):
    """What follows when a unit has failed for good."""

    STOP_DEPENDENTS = "stop-dependents"
    HALT_STACK = "halt-stack"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Restart:
    """What follows a unit's own exit, and its age. `stable` seconds of being up reset the backoff.

    A unit that is up for `max_age` seconds is restarted; with a `window`, in the last one before it would be older.
    """

    policy: RestartPolicy = RestartPolicy.ON_FAILURE
    backoff: Backoff = field(default_factory=Backoff)
    stable: float = 60.0
    limit: Limit = field(default_factory=Limit)
    on_limit: OnLimit = OnLimit.STOP_DEPENDENTS
    max_age: float | None = None
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class Hook:
    """A program of the operator's that is told of an event, as JSON on its stdin; killed after `timeout` seconds.

    `argv[0]` is an absolute path. `env` is the whole environment, sorted by key.
    """

    argv: tuple[str, ...]
    cwd: str
    env: tuple[tuple[str, str], ...]
    timeout: float


@dataclass(frozen=True, slots=True)
class Hooks:
    """What is run when a unit fails for good, and when it is halted."""

    on_failed: Hook | None = None
    on_halt: Hook | None = None


class Alarm(StrEnum):
    """An event that somebody wants to be woken for."""

    STALE = "stale"
    FAILED = "failed"
    GAP = "gap"
    UNCLEAN = "unclean"
    UNSUPERVISED = "unsupervised"


@dataclass(frozen=True, slots=True)
class Notify:
    """What is run for the alarms `on` of any unit of the stack."""

    hook: Hook
    on: tuple[Alarm, ...] = tuple(Alarm)


class OnStale(StrEnum):
    """What follows when a connector's channel falls silent."""

    RESTART = "restart"
    ALERT = "alert"


@dataclass(frozen=True, slots=True)
class Quiet:
    """A part of every week in which silence is normal, in seconds since Monday 00:00 UTC, `end` excluded; it wraps."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Health:
    """How readiness and freshness are looked at.

    `startup` bounds the climb to the target; `interval` is the probe's fast path. A channel is stale after
    `stale_after` seconds without a message or with less than `min_rate` messages a second, or when none has come within
    `first_message` seconds (None: `stale_after`) of a bot's attaching.
    """

    startup: float = 10.0
    interval: float = 0.1
    stale_after: float = 30.0
    first_message: float | None = None
    min_rate: float = 0.0
    on_stale: OnStale = OnStale.RESTART
    quiet: tuple[Quiet, ...] = ()


@dataclass(frozen=True, slots=True)
class Logs:
    """How a unit's output is kept on disk. Sizes in bytes, times in seconds.

    What was written since the last archive is archived when it has `max_size` or is `max_age` old. `keep` bounds all
    that there is of the unit's output.
    """

    max_size: int = 16 << 20
    max_age: float = 24 * 3600.0
    keep: int = 256 << 20


@dataclass(frozen=True, slots=True)
class Resources:
    """Set from outside, by pid, before the unit's program begins. None leaves a thing as it is.

    `scheduler` is a policy and its priority, such as ("fifo", 10); `timer_slack` is in nanoseconds; `limits` are pairs
    of a resource's name without RLIMIT_ in lower case and its soft and hard value, -1 for unlimited.
    """

    cpus: tuple[int, ...] | None = None
    nice: int | None = None
    scheduler: tuple[str, int] | None = None
    timer_slack: int | None = None
    oom_score_adj: int | None = None
    limits: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host and a port; for a connector, where its exchange stream lives.

    `shared`: another URL of the connector's config has the same host and port, so a socket there proves no stream.
    """

    host: str
    port: int
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Channel:
    """A connector's channel as iceoryx2 names it: the two services NAME/ToBot and NAME/FromBot.

    `root` and `prefix` are those that the connector's working directory resolves to (iceoryx2's config file lookup).
    """

    name: str
    root: str = "/tmp/iceoryx2"  # noqa: S108 - iceoryx2's default, not a temporary file of ours
    prefix: str = "iox2_"


@dataclass(frozen=True, slots=True)
class ReadyCheck:
    """When a service is ready. Exactly one is set; a service with no check is ready when it runs.

    `tcp` is connected to, `execute` is run without a shell until it exits 0, `log` is a regular expression searched in
    the output of the current start.
    """

    tcp: Endpoint | None = None
    execute: tuple[str, ...] | None = None
    log: str | None = None


@dataclass(frozen=True, slots=True)
class File:
    """A file that the unit reads at start, known by the SHA-256 of its bytes."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class UnitSpec:
    """One unit, resolved.

    `argv[0]` is an absolute path. `executable` is the file whose digest was taken: the stored binary for a connector
    built by cargo, otherwise argv[0] itself. `env` is the whole environment, sorted by key. `files` are the configs
    that the supervisor watches over: rendered ones are removed at `down`. `target` is the level that `ready` means.
    `streams` are the endpoints that `connected` is proven against. `attaches` names the connectors on whose channels a
    bot must be seen before it is ready. An `external` connector is started by hand: it is watched, never started or
    stopped, and has no argv, executable, environment or files. `code` are the files of code that `argv` names besides:
    an interpreter's script; None where nobody looked, as in a record of format 2. `given` is what the
    environment of its caller completed, and may be a secret: `argv.INDEX` of words, and `ready`.
    """

    name: str
    kind: Kind
    argv: tuple[str, ...]
    executable: File | None
    cwd: str
    env: tuple[tuple[str, str], ...]
    target: Level
    type: str | None = None
    files: tuple[File, ...] = ()
    depends_on: tuple[Dependency, ...] = ()
    channel: Channel | None = None
    streams: tuple[Endpoint, ...] = ()
    attaches: tuple[str, ...] = ()
    ready: ReadyCheck | None = None
    health: Health = field(default_factory=Health)
    restart: Restart = field(default_factory=Restart)
    grace: float = 5.0
    resources: Resources = field(default_factory=Resources)
    hooks: Hooks = field(default_factory=Hooks)
    external: bool = False
    logs: Logs = field(default_factory=Logs)
    code: tuple[File, ...] | None = None
    given: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deployment:
    """A stack, resolved; `units` stand in topological order, dependencies first. `notify` is for all of them.

    `sources` are the files that it was read from, by digests that are keyed by the home, for they may hold keys;
    `inherited` is what units have of the environment of whoever brought it in.
    """

    stack: str
    file: str
    network: str
    units: tuple[UnitSpec, ...]
    notify: Notify | None = None
    rollback: bool = False
    format: int = FORMAT
    sources: tuple[File, ...] = ()
    inherited: tuple[tuple[str, str], ...] = ()

    def unit(self, name: str) -> UnitSpec:
        """Return the unit of that name; raises KeyError."""
        for unit in self.units:
            if unit.name == name:
                return unit
        raise KeyError(name)
