"""One unit as a pure state machine: (state, event, now) to (state, actions).

No clock, no process, no sleep in here: the supervisor feeds events and performs actions. All instants are seconds of
one monotonic clock. What concerns more than one unit, order and propagation, is `graph`.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from orchestrator.deployment.model import Kind, Level, OnLimit, RestartPolicy, reaches
from orchestrator.supervise.policy import TRANSIENT_DELAYS, TRANSIENT_LIFE, delay, within
from orchestrator.supervise.stopping import After, Stopping

if TYPE_CHECKING:
    from orchestrator.deployment.model import UnitSpec


class State(StrEnum):
    """Where a unit stands. `failed` is latched; `lost` is alive a second after SIGKILL, in the kernel."""

    WAITING = "waiting"
    STARTING = "starting"
    UP = "up"
    STALE = "stale"
    STOPPING = "stopping"
    BACKOFF = "backoff"
    FAILED = "failed"
    STOPPED = "stopped"
    FINISHED = "finished"
    LOST = "lost"


TERM_EVERY: Final = 0.05
"""Seconds between two SIGTERMs to a connector: one alone is missed nine times in ten (measured)."""

SETTLED_AFTER: Final = 0.3
"""Seconds after its start before which a connector that is not live yet gets no SIGTERM: one that comes while its
channel is being opened is lost, and all later ones with it (11 of 12, measured)."""

LOST_AFTER: Final = 1.0
"""Seconds after SIGKILL at which a process that still lives is in the kernel."""

SHORTEST_GRACE: Final = 0.25
"""Seconds between SIGTERM and SIGKILL at least, also with a grace of 0: a bot killed while it takes down its ports
leaves a channel that is marked for destruction for ever (1 of 40 crashes with SIGKILL right behind, measured)."""

FRAGILE: Final = 1.0
"""Seconds from a start in which SIGKILL can corrupt the channel for ever: no hurry shortens a grace to less."""

UNREACHABLE: Final = "exchange unreachable"
"""What is said of a stale connector that is not restarted, because its exchange does not answer."""

_CLEAN_SIGNALS: Final = frozenset({0, -signal.SIGTERM})


@dataclass(frozen=True, slots=True)
class Unit:
    """The state of one unit.

    `alive` holds from the decision to spawn until the exit is seen. `born` orders spawns over the whole stack: a bot
    born before its connector is attached to a channel that no longer exists. `running` is what the process was started
    from. `unseen`: an external connector's channel is held, by whom cannot be told.
    `begun` is when the process of a unit that was taken over began, until something happens to it.
    `prober` is the connector of the same exchange that goes first after an incident; `spread` is how many seconds after
    that its own start comes. `excused`: since it was last stable, a failure has not been counted. `climb` is when the
    climb to the target began, transient retries included. `deadline` is the next instant at which a Tick changes
    something.
    """

    state: State = State.STOPPED
    since: float = 0.0
    begun: float | None = None
    wanted: bool = False
    alive: bool = False
    born: int = 0
    running: UnitSpec | None = None
    spawned: float = 0.0
    climb: float = 0.0
    level: Level | None = None
    lived: bool = False
    overdue: bool = False
    unseen: bool = False
    deadline: float | None = None
    stopping: Stopping | None = None
    died: float | None = None
    exit: int | None = None
    why: str | None = None
    unclean: str | None = None
    retries: int = 0
    failures: int = 0
    restarts: int = 0
    window: tuple[float, ...] = ()
    prober: str | None = None
    spread: float = 0.0
    excused: bool = False

    @property
    def is_troubled(self) -> bool:
        """Tell whether it has failed since it was last stable: its starts are rationed."""
        return self.failures > 0 or self.excused


@dataclass(frozen=True, slots=True)
class Start:
    """The operator wants the unit up."""


@dataclass(frozen=True, slots=True)
class Release:
    """Its dependencies hold: spawn. `born` is its place in the order of spawns."""

    born: int


@dataclass(frozen=True, slots=True)
class Appeared:
    """A process that we did not start holds an external connector's channel. `born` is as in Release."""

    born: int = 0


@dataclass(frozen=True, slots=True)
class Unseen:
    """Somebody holds an external connector's channel, but which process that is cannot be told."""

    reason: str


@dataclass(frozen=True, slots=True)
class SpawnFailed:
    """No process came to be. `refused`: trying again cannot help, somebody must act."""

    reason: str
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Observed:
    """The rung that the unit stands on was looked at. `lived`: it was live before, by what can be seen now."""

    level: Level
    lived: bool = False


@dataclass(frozen=True, slots=True)
class Broken:
    """The process lives but its channel is gone, for long enough to count."""

    reason: str


@dataclass(frozen=True, slots=True)
class Silent:
    """The channel is open and owned, and nothing moves, for long enough to count."""

    reason: str


@dataclass(frozen=True, slots=True)
class Recovered:
    """Messages move again, or there is nobody left to miss them."""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The exchange of a stale connector does not answer: a restart could not cure it."""

    host: str


@dataclass(frozen=True, slots=True)
class Exited:
    """The process ended. `code` is negative for a signal, None when nobody could read it.

    `propagated`: it went with a dependency that died, which is not a failure of its own.
    """

    code: int | None
    propagated: bool = False


@dataclass(frozen=True, slots=True)
class Recycle:
    """Stop, then start again when the dependencies hold, whatever the restart policy says.

    `counted`: it shows among the unit's restarts; a change that the operator asked for does not.
    """

    reason: str
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Revive:
    """A dependency died just after this unit did: its exit was part of that."""

    reason: str


@dataclass(frozen=True, slots=True)
class Excused:
    """Its failure was part of an incident of its exchange.

    It starts `spread` seconds after it could: `prober` comes up first, and the failure costs nothing, once until the
    unit was stable again; where that is None it goes first itself, and pays: an exchange that fails them all again and
    again brings each of them to its limit.
    """

    reason: str
    prober: str | None = None
    spread: float = 0.0


@dataclass(frozen=True, slots=True)
class Spread:
    """Nothing keeps it from starting after an incident but the seconds that lie between it and the others."""


@dataclass(frozen=True, slots=True)
class Held:
    """No process may be started for `seconds`: too many were, for one exchange."""

    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Stop:
    """The unit shall not run. `grace` replaces the unit's own, in seconds."""

    reason: str
    grace: float | None = None


@dataclass(frozen=True, slots=True)
class Begin:
    """No dependent is alive: the stop may send its first signal."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has come to `deadline`."""


Event = (
    Start
    | Release
    | Appeared
    | Unseen
    | SpawnFailed
    | Observed
    | Broken
    | Silent
    | Recovered
    | Unreachable
    | Exited
    | Recycle
    | Revive
    | Excused
    | Spread
    | Held
    | Stop
    | Begin
    | Tick
)


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start the process."""

    spec: UnitSpec


@dataclass(frozen=True, slots=True)
class Soften:
    """Make the connector's main loop receptive to signals, before the first one."""


@dataclass(frozen=True, slots=True)
class Terminate:
    """Send SIGTERM."""


@dataclass(frozen=True, slots=True)
class Kill:
    """Send SIGKILL."""


@dataclass(frozen=True, slots=True)
class Tidy:
    """Remove what is left of a connector's channel: it may have ended in the middle of taking it down."""

    spec: UnitSpec


@dataclass(frozen=True, slots=True)
class LetGo:
    """Watch an external connector's process no more; it is not ours to end."""


@dataclass(frozen=True, slots=True)
class Halt:
    """Halt the whole stack, until somebody resumes it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something happened that an operator may want to know later; goes to the journal and to those who watch."""

    what: str
    text: str = ""


Action = Spawn | Soften | Terminate | Kill | Tidy | LetGo | Halt | Note
Step = tuple[Unit, tuple[Action, ...]]


def step(unit: Unit, spec: UnitSpec, event: Event, now: float, *, noise: float = 0.5) -> Step:
    """Return the unit after `event` and what to do about it.

    `spec` is what the next process would be started from; `noise` in [0, 1) is the backoff's randomness.
    """
    match event:
        case Start():
            return _start(unit, spec, now)
        case Release(born=born):
            return _release(unit, spec, born, now)
        case SpawnFailed(reason=reason, refused=refused):
            return _spawn_failed(unit, spec, reason, now, refused=refused, noise=noise)
        case Observed():
            return _observed(unit, spec, event, now)
        case Broken(reason=reason):
            return _broken(unit, spec, reason, now)
        case Silent(reason=reason):
            return _silent(unit, spec, reason, now)
        case Recovered():
            return _recovered(unit, now)
        case Unreachable(host=host):
            return _unreachable(unit, host)
        case Exited():
            return _exited(unit, spec, event, now, noise)
        case Recycle():
            return _recycle(unit, spec, event, now)
        case Revive(reason=reason):
            return _revive(unit, reason, now)
        case Excused():
            return _excused(unit, event)
        case Spread():
            return _spread(unit, now)
        case Held(reason=reason, seconds=seconds):
            return _held(unit, spec, reason, seconds, now)
        case Stop():
            return _stop(unit, spec, event, now)
        case Begin():
            return _begin(unit, spec, now)
        case Tick():
            return _tick(unit, spec, now)
        case Appeared() | Unseen():
            return unit, ()


def resumed(unit: Unit, stopping: Stopping, now: float) -> Unit:
    """Return a unit that was taken over while it was being stopped: the stop goes on where it was.

    One that has begun sends no first signal again, and the grace runs on.
    """
    if not unit.wanted or stopping.after is After.STOPPED:
        stopping = replace(stopping, after=After.WAITING if unit.wanted else After.STOPPED)
    deadline = None
    if stopping.begun is not None:
        repeated = unit.running is not None and unit.running.kind is Kind.CONNECTOR
        deadline = min(stopping.term_at, stopping.kill_at) if repeated else stopping.kill_at
    return replace(_enter(unit, State.STOPPING, now, stopping.reason, deadline), stopping=stopping)


def _enter(unit: Unit, state: State, now: float, why: str | None = None, deadline: float | None = None) -> Unit:
    begun = unit.begun if (unit.state, state) == (State.STARTING, State.UP) else None
    return replace(unit, state=state, since=now, begun=begun, why=why, deadline=deadline)


def _start(unit: Unit, spec: UnitSpec, now: float) -> Step:
    fresh = replace(unit, wanted=True, unclean=None, overdue=False)
    cleared = replace(fresh, failures=0, window=(), retries=0, prober=None, spread=0.0, excused=False)
    match unit.state:
        case State.STOPPED | State.FAILED | State.FINISHED | State.BACKOFF:
            return _enter(cleared, State.WAITING, now), (Note("wanted"),)
        case State.WAITING:
            return replace(fresh, prober=None, spread=0.0), ()
        case State.STOPPING | State.LOST if unit.stopping and unit.stopping.after is not After.WAITING:
            again = replace(unit.stopping, after=After.WAITING, counted=False)
            return replace(cleared, stopping=again), (Note("wanted"),)
        case State.STARTING:
            return replace(fresh, climb=now, deadline=now + spec.health.startup), ()
        case _:
            return fresh, ()


def _release(unit: Unit, spec: UnitSpec, born: int, now: float) -> Step:
    if unit.state is not State.WAITING or unit.alive:
        return unit, ()
    retried = unit.retries > 0 and now <= unit.since
    climb = unit.climb if retried else now
    spawned = replace(
        unit,
        alive=True,
        born=born,
        running=spec,
        spawned=now,
        climb=climb,
        level=None,
        lived=False,
        stopping=None,
        exit=None,
        prober=None,
        spread=0.0,
    )
    starting = _enter(spawned, State.STARTING, now, deadline=climb + spec.health.startup)
    return starting, (Spawn(spec),)


def _spawn_failed(unit: Unit, spec: UnitSpec, reason: str, now: float, *, refused: bool, noise: float) -> Step:
    gone = replace(unit, alive=False, level=None, running=None, stopping=None)
    if refused and gone.wanted:
        return _enter(gone, State.FAILED, now, reason), (Note("refused", reason),)
    return _fail(gone, spec, reason, now, noise)


def _observed(unit: Unit, spec: UnitSpec, event: Observed, now: float) -> Step:
    if not unit.alive:
        return unit, ()
    level = event.level
    seen = replace(unit, level=level, lived=unit.lived or event.lived or reaches(level, Level.LIVE))
    changed = (Note("level", level.value),) if level is not unit.level else ()
    if unit.state is State.STARTING and reaches(level, spec.target):
        up = replace(_enter(seen, State.UP, now), overdue=False, retries=0)
        return up, (*changed, Note("up"))
    return seen, changed


def _broken(unit: Unit, spec: UnitSpec, reason: str, now: float) -> Step:
    if unit.state not in {State.STARTING, State.UP, State.STALE}:
        return unit, ()
    return _stop_for(_rested(unit, spec, now), spec, After.FAIL, reason, now), (Note("broken", reason),)


def _silent(unit: Unit, spec: UnitSpec, reason: str, now: float) -> Step:
    served = unit.state is State.STARTING and unit.overdue  # bots found it so, or ask for less than it aims at
    if unit.state is not State.UP and not served:
        return unit, ()
    return _enter(_rested(unit, spec, now), State.STALE, now, reason), (Note("stale", reason),)


def _recovered(unit: Unit, now: float) -> Step:
    if unit.state is not State.STALE:
        return unit, ()
    recovered = replace(_enter(unit, State.UP, now), overdue=False)
    return recovered, (Note("recovered", f"it was stale for {now - unit.since:.3g} s"),)


def _unreachable(unit: Unit, host: str) -> Step:
    remark = f" ({UNREACHABLE}: {host})"
    if unit.state is not State.STALE or unit.why is None or unit.why.endswith(remark):
        return unit, ()
    return replace(unit, why=f"{unit.why.partition(f' ({UNREACHABLE}')[0]}{remark}"), (
        Note("unreachable", f"{host} does not answer: no restart could help, none is spent"),
    )


def _stop_for(unit: Unit, spec: UnitSpec, after: After, reason: str, now: float) -> Unit:
    stopping = Stopping(after, reason, (unit.running or spec).grace)
    return replace(_enter(unit, State.STOPPING, now, reason), stopping=stopping)


def _recycle(unit: Unit, spec: UnitSpec, event: Recycle, now: float) -> Step:
    if unit.state not in {State.STARTING, State.UP, State.STALE}:
        return unit, ()
    stopping = Stopping(After.WAITING, event.reason, (unit.running or spec).grace, event.counted)
    recycled = replace(_enter(unit, State.STOPPING, now, event.reason), stopping=stopping)
    return recycled, (Note("recycle", event.reason),)


def _revive(unit: Unit, reason: str, now: float) -> Step:
    counted = bool(unit.window) and unit.window[-1] == unit.died
    if counted:
        unit = replace(unit, window=unit.window[:-1], failures=max(unit.failures - 1, 0))
    if unit.state not in {State.FAILED, State.FINISHED, State.BACKOFF} or not unit.wanted:
        return unit, ()
    revived = replace(unit, restarts=unit.restarts + (not counted))
    return _enter(revived, State.WAITING, now, reason), (Note("restart", reason),)


def _excused(unit: Unit, event: Excused) -> Step:
    excused = unit
    if event.prober is not None and not unit.excused and unit.window and unit.window[-1] == unit.died:
        excused = replace(unit, window=unit.window[:-1], failures=max(unit.failures - 1, 0), excused=True)
    if not unit.alive:
        excused = replace(excused, prober=event.prober, spread=event.spread, why=event.reason)
    return (unit, ()) if excused == unit else (excused, (Note("incident", event.reason),))


def _spread(unit: Unit, now: float) -> Step:
    """Put its start off; the bound on its climb counts from then on."""
    begins = now + unit.spread
    return replace(_enter(unit, State.BACKOFF, now, unit.why, begins), prober=None, spread=0.0, climb=begins), ()


def _held(unit: Unit, spec: UnitSpec, reason: str, seconds: float, now: float) -> Step:
    gone = replace(unit, alive=False, level=None, running=None, stopping=None)
    if not gone.wanted:
        return _put_down(gone, spec, now, reason, why=reason)
    told = () if unit.why == reason else (Note("held", reason),)
    return _enter(gone, State.BACKOFF, now, reason, now + seconds), told


def _stop(unit: Unit, spec: UnitSpec, event: Stop, now: float) -> Step:
    unwanted = replace(unit, wanted=False)
    if not unit.alive:
        if unit.state is State.STOPPED:
            return unwanted, ()
        return _put_down(unwanted, spec, now, event.reason)
    if unit.stopping is None:
        grace = (unit.running or spec).grace if event.grace is None else event.grace
        stopping = Stopping(After.STOPPED, event.reason, grace)
        stopped = replace(_enter(unwanted, State.STOPPING, now, event.reason), stopping=stopping)
        return stopped, (Note("stopping", event.reason),)
    stopping = replace(unit.stopping, after=After.STOPPED)
    if event.grace is not None and event.grace < stopping.grace:
        stopping = replace(stopping, grace=event.grace)
        if stopping.begun is not None and not stopping.killed:
            stopping = replace(stopping, kill_at=_kill_at(unit, spec, stopping, stopping.begun))
    deadline = unit.deadline
    if stopping.begun is not None and not stopping.killed:
        deadline = min(stopping.kill_at, deadline if deadline is not None else stopping.kill_at)
    return replace(unwanted, stopping=stopping, deadline=deadline), ()


def _begin(unit: Unit, spec: UnitSpec, now: float) -> Step:
    stopping = unit.stopping
    if unit.state is not State.STOPPING or stopping is None or stopping.begun is not None:
        return unit, ()
    repeated = (unit.running or spec).kind is Kind.CONNECTOR
    early = repeated and not unit.lived and now - unit.spawned < SETTLED_AFTER
    first = unit.spawned + SETTLED_AFTER if early else now
    term_at = first if early else now + TERM_EVERY
    begun = replace(stopping, begun=now, kill_at=_kill_at(unit, spec, stopping, first), term_at=term_at)
    deadline = min(begun.term_at, begun.kill_at) if repeated else begun.kill_at
    signals: tuple[Action, ...] = () if early else (Terminate(),)
    return replace(unit, stopping=begun, deadline=deadline), ((Soften(), *signals) if repeated else signals)


def _kill_at(unit: Unit, spec: UnitSpec, stopping: Stopping, begun: float) -> float:
    whole = begun + (unit.running or spec).grace
    return max(begun + max(stopping.grace, SHORTEST_GRACE), min(whole, unit.spawned + FRAGILE))


def _tick(unit: Unit, spec: UnitSpec, now: float) -> Step:
    if unit.deadline is None or now < unit.deadline:
        return unit, ()
    match unit.state:
        case State.BACKOFF:
            return _enter(unit, State.WAITING, now, unit.why), ()
        case State.STARTING:
            return _startup_ran_out(unit, spec, now)
        case State.STOPPING:
            return _press(unit, spec, now)
        case _:
            return replace(unit, deadline=None), ()


def _startup_ran_out(unit: Unit, spec: UnitSpec, now: float) -> Step:
    rung = _missing_rung(unit, spec)
    reason = f"not {rung} within {spec.health.startup:g} s"
    if spec.kind is Kind.BOT or (spec.kind is Kind.CONNECTOR and unit.lived):
        return replace(unit, overdue=True, deadline=None, why=reason), (Note("overdue", reason),)
    stopping = replace(_stop_for(unit, spec, After.FAIL, reason, now), overdue=True)
    return stopping, (Note("overdue", reason),)


def _missing_rung(unit: Unit, spec: UnitSpec) -> str:
    if spec.kind is Kind.CONNECTOR and not reaches(unit.level, Level.LIVE):
        return Level.LIVE.value
    return "ready: not attached to every channel" if spec.kind is Kind.BOT else spec.target.value


def _press(unit: Unit, spec: UnitSpec, now: float) -> Step:
    stopping = unit.stopping
    if stopping is None or stopping.begun is None:
        return replace(unit, deadline=None), ()
    if stopping.killed:
        reason = "still alive after SIGKILL, held in the kernel"
        return replace(_enter(unit, State.LOST, now, reason)), (Note("lost", reason),)
    if now >= stopping.kill_at:
        killed = replace(unit, stopping=replace(stopping, killed=True), deadline=now + LOST_AFTER)
        return killed, (Kill(), Note("killed", f"still alive after its grace of {stopping.grace:g} s"))
    if (unit.running or spec).kind is not Kind.CONNECTOR:
        return replace(unit, deadline=stopping.kill_at), ()
    again = replace(stopping, term_at=now + TERM_EVERY)
    return replace(unit, stopping=again, deadline=min(again.term_at, again.kill_at)), (Terminate(),)


def _exited(unit: Unit, spec: UnitSpec, event: Exited, now: float, noise: float) -> Step:
    if not unit.alive:
        return unit, ()
    used = unit.running or spec
    gone = replace(
        _rested(unit, spec, now),
        alive=False,
        died=now,
        exit=event.code,
        level=None,
        running=None,
        stopping=None,
    )
    note = Note("exit", ending(event.code))
    if unit.stopping is not None:
        unclean = _unclean(used, unit.stopping, gone.exit)
        ended, actions = _stopped(replace(gone, unclean=unclean), spec, unit.stopping, now, noise)
        return ended, (note, *((Note("unclean", unclean),) if unclean else ()), *actions)
    if event.propagated:
        reason = "went with its dependency"
        return _enter(replace(gone, restarts=gone.restarts + 1), State.WAITING, now, reason), (
            note,
            Note("restart", reason),
        )
    if _is_transient(unit, used, now):
        wait = TRANSIENT_DELAYS[unit.retries]
        retried = replace(gone, retries=unit.retries + 1)
        retry = Note("retry", f"{ending(event.code)} before it was live, as while the channel is being cleaned up")
        state = State.BACKOFF if wait else State.WAITING
        return _enter(retried, state, now, retry.text, now + wait if wait else None), (note, retry)
    if used.kind is Kind.BOT and event.code == 0 and spec.restart.policy is not RestartPolicy.ALWAYS:
        return _enter(gone, State.FINISHED, now), (note, Note("finished"))
    failed, actions = _fail(gone, spec, ending(event.code), now, noise)
    return failed, (note, *actions)


def _rested(unit: Unit, spec: UnitSpec, now: float) -> Unit:
    if unit.state is State.UP and now - unit.since >= spec.restart.stable:
        return replace(unit, failures=0, excused=False)
    return unit


def _is_transient(unit: Unit, used: UnitSpec, now: float) -> bool:
    if used.kind is not Kind.CONNECTOR or unit.lived or unit.state is not State.STARTING:
        return False
    if unit.retries >= len(TRANSIENT_DELAYS) or now - unit.spawned > TRANSIENT_LIFE:
        return False
    return now + TRANSIENT_DELAYS[unit.retries] < unit.climb + used.health.startup


def _stopped(gone: Unit, spec: UnitSpec, stopping: Stopping, now: float, noise: float) -> Step:
    reason = stopping.reason
    match stopping.after:
        case After.STOPPED:
            return _put_down(gone, spec, now, reason)
        case After.WAITING:
            again = replace(gone, restarts=gone.restarts + stopping.counted, failures=0, retries=0)
            return _enter(again, State.WAITING, now, reason), (Note("restart", reason),)
        case After.FAIL:
            return _fail(gone, spec, reason, now, noise)


def _unclean(used: UnitSpec, stopping: Stopping, code: int | None) -> str | None:
    if stopping.killed and stopping.grace <= 0:
        return None  # no wait was asked for
    if stopping.killed and code in {None, -signal.SIGKILL}:
        return f"ended by SIGKILL after its grace of {stopping.grace:g} s"
    if used.kind is Kind.BOT and code is not None and code not in _CLEAN_SIGNALS:
        return ending(code)
    return None


def _fail(gone: Unit, spec: UnitSpec, reason: str, now: float, noise: float) -> Step:
    if not gone.wanted:
        return _put_down(gone, spec, now, reason, why=reason)
    if spec.restart.policy is RestartPolicy.NEVER:
        return _give_up(gone, spec, reason, now)
    limit = spec.restart.limit
    window = within(gone.window, limit, now)
    if len(window) >= limit.restarts:
        latched = f"{reason}; {limit.restarts} restarts within {limit.window:g} s are the limit"
        return _give_up(replace(gone, window=window), spec, latched, now)
    failures = gone.failures + 1
    counted = replace(gone, failures=failures, restarts=gone.restarts + 1, window=(*window, now), retries=0)
    wait = delay(spec.restart.backoff, failures, noise)
    if wait <= 0:
        return _enter(counted, State.WAITING, now, reason), (Note("restart", reason),)
    text = f"{reason}; next start in {wait:.2g} s"
    return _enter(counted, State.BACKOFF, now, reason, now + wait), (Note("backoff", text),)


def _put_down(gone: Unit, spec: UnitSpec, now: float, reason: str, *, why: str | None = None) -> Step:
    stopped = _enter(gone, State.STOPPED, now, why)
    note = Note("stopped", reason)
    return stopped, (note, Tidy(spec)) if spec.kind is Kind.CONNECTOR else (note,)


def _give_up(gone: Unit, spec: UnitSpec, reason: str, now: float) -> Step:
    failed = _enter(gone, State.FAILED, now, reason), (Note("failed", reason),)
    if spec.restart.on_limit is not OnLimit.HALT_STACK:
        return failed
    return failed[0], (*failed[1], Halt(reason))


def ending(code: int | None) -> str:
    """Return how a process ended, for people; `code` is negative for a signal, None when nobody could read it."""
    if code is None:
        return "ended, exit code unknown"
    if code >= 0:
        return f"exit {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    if -code == signal.SIGBUS:
        return f"{name}: is /dev/shm full?"
    return name
