"""Looking at channels and streams on behalf of the units: what the probe and the socket tables say becomes events.

Three speeds: every 5 ms while a connector starts or a bot attaches to it, each `interval` the fast path, once a second
the full scan of all nodes, shared by all units of a location. With no connector running there is nothing to look at,
and nothing wakes.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from orchestrator.channel.location import Location
from orchestrator.channel.nodes import scan_nodes
from orchestrator.channel.probe import Probe
from orchestrator.channel.verdict import Verdict
from orchestrator.deployment.model import Kind, Level, reaches
from orchestrator.supervise.freshness import Signs, loud, silence
from orchestrator.supervise.process import is_member
from orchestrator.supervise.sockets import Connections, Proof, proof
from orchestrator.supervise.unit import Broken, Observed, Recovered, Silent, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from orchestrator.channel.nodes import Nodes
    from orchestrator.channel.verdict import BotLink, Reading
    from orchestrator.deployment.model import UnitSpec
    from orchestrator.supervise.graph import Graph
    from orchestrator.supervise.names import Names
    from orchestrator.supervise.process import Process
    from orchestrator.supervise.unit import Event, Unit

CLOSE: Final = 0.005
"""Seconds between two looks while a unit starts."""

FULL: Final = 1.0
"""Seconds between two full scans of a channel that is up."""

COUNTS_AFTER: Final = 1.0
"""Seconds for which a bad verdict must last: single ones occur during a normal start (measured)."""

_SAMPLE: Final = FULL / 2
"""Seconds over which a rate is taken at least: nearly always from one full scan to the next."""

_HOLDS: Final = frozenset({Verdict.LIVE, Verdict.UNVERIFIED})
_LOST: Final = frozenset({Verdict.RELEASED, Verdict.MISSING, Verdict.STALE, Verdict.FOREIGN})
"""Verdicts that end a connector that lives."""

_SPOILT: Final = frozenset({Verdict.SPLIT, Verdict.CORRUPT})
"""Verdicts that end none: what is attached goes on, over a connection as good as before, and a restart could not
succeed before a repair."""


@dataclass(slots=True)
class View:
    """What was last seen of one connector's channel. Instants are seconds of the loop's clock.

    `rate` is messages a second over all attached bots' connections, the fastest of them; None before two samples.
    `unverified` is since when the channel cannot be verified; `attached`, `slow` and `cut` are as in `Signs`.
    """

    probe: Probe
    spec: UnitSpec
    pid: int
    reading: Reading | None = None
    proof: Proof = Proof.NONE
    level: Level = Level.STARTED
    due: float = 0.0
    full_due: float = 0.0
    bad_since: float | None = None
    unverified: float | None = None
    moved: float | None = None
    attached: float | None = None
    slow: float | None = None
    cut: float | None = None
    rate: float | None = None
    sampled: tuple[float, tuple[BotLink, ...]] | None = None

    @property
    def bots(self) -> tuple[BotLink, ...]:
        """The bots that the last full scan found; their counters are as old."""
        return () if self.reading is None else self.reading.bots

    @property
    def is_well(self) -> bool:
        """Whether messages move and nothing speaks against it."""
        return (
            self.level is Level.FRESH
            and self.slow is None
            and self.cut is None
            and self.bad_since is None
            and self.reading is not None
            and self.reading.verdict is Verdict.LIVE
            and (self.attached or 0.0) <= (self.moved or 0.0)
        )


class Watch:
    """The probes of a stack's connectors. `now` is always the loop's monotonic clock, in seconds."""

    def __init__(self, names: Names, wall: Callable[[], float] = time.time) -> None:
        """`wall` is the clock by which weeks have quiet hours, in seconds since the epoch."""
        self._names = names
        self._wall = wall
        self._views: dict[str, View] = {}
        self._nodes: dict[Location, tuple[float, Nodes]] = {}
        self._connections = Connections()

    def view(self, name: str) -> View | None:
        """Return what was last seen of a connector's channel."""
        return self._views.get(name)

    def heard(self, name: str, now: float) -> dict[str, Any] | None:
        """Return what the journal keeps of a channel beside its level; None of what is none.

        `silent` is nanoseconds since the last message, null before the first; `bots` counts who is attached; `quiet`
        tells whether these are quiet hours.
        """
        view = self._views.get(name)
        if view is None:
            return None
        silent = None if view.moved is None else max(0, int((now - view.moved) * 1e9))
        quiet = view.spec.health.quiet
        return {"silent": silent, "bots": len(view.bots), "quiet": bool(quiet) and loud(quiet, self._wall()) <= 0}

    def unverified(self, connectors: Iterable[str]) -> tuple[str, ...]:
        """Return those of these connectors whose channels cannot be verified: nor can who is attached to them."""
        return tuple(name for name in connectors if name in self._views and self._views[name].unverified is not None)

    def track(self, name: str, spec: UnitSpec, pid: int) -> None:
        """Look at the channel of a connector that has just been started or adopted."""
        self.forget(name)
        if spec.channel is not None:
            self._views[name] = View(Probe(location(spec), spec.channel.name), spec, pid)

    def forget(self, name: str) -> None:
        """Stop looking, and let go of every descriptor of the channel."""
        view = self._views.pop(name, None)
        if view is not None:
            view.probe.close()

    def forget_bot(self, pid: int) -> None:
        """Let go of the descriptors that concern a bot that has exited."""
        for view in self._views.values():
            view.probe.forget(pid)

    def hurry(self, name: str) -> None:
        """Look at this channel at once: something is expected to change."""
        view = self._views.get(name)
        if view is not None:
            view.due = view.full_due = 0.0

    def update(self, name: str, spec: UnitSpec) -> None:
        """Take up new health settings of a running connector."""
        view = self._views.get(name)
        if view is not None:
            view.spec = spec

    def due(self) -> float | None:
        """Return the instant of the next look; None when there is nothing to look at."""
        return min((view.due for view in self._views.values()), default=None)

    def look(self, graph: Graph, units: Mapping[str, Process], now: float) -> list[tuple[str, Event]]:
        """Look at every channel that is due and return what that means for connectors and bots.

        `units` are the processes of those that run.
        """
        events: list[tuple[str, Event]] = []
        awaiting = _awaiting(graph)
        for name, view in self._views.items():
            if now < view.due:
                continue
            unit = graph.units[name]
            close = name in awaiting or _is_climbing(unit, view)
            self._look(view, now, close=close)
            view.due = now + CLOSE if close else _beat(now, min(view.spec.health.interval, FULL))
            if unit.stopping is not None:
                continue
            if view.is_well and unit.state is State.UP and unit.level is Level.FRESH:
                continue  # as nearly always, ten times a second for each channel
            broken = _broken(view, unit, now)
            if broken is not None:
                events.append((name, Broken(broken)))
            else:
                events.extend((name, event) for event in self._meaning(view, unit, now))
        events.extend(self._bots(graph, units, now))
        return events

    def _look(self, view: View, now: float, *, close: bool) -> None:
        if close or now >= view.full_due or view.bad_since is not None:
            view.full_due = _beat(now, FULL)
            view.reading = view.probe.scan(self._fresh_nodes(view, now), pid=view.pid)
            moved = view.probe.moved
            self._count(view, view.reading.bots, now)
            if view.reading.verdict is not Verdict.UNVERIFIED:
                view.unverified = None
            elif view.unverified is None:
                view.unverified = now
            if view.spec.streams:
                view.proof = self._proof(view, now) if view.reading.verdict in _HOLDS | _SPOILT else Proof.NONE
        else:
            fast = view.probe.fast()
            if fast is None:
                view.full_due = 0.0
                self._look(view, now, close=False)
                return
            moved = fast
        if moved:
            view.moved = now
        view.level = _level(view, now)

    def _meaning(self, view: View, unit: Unit, now: float) -> Iterator[Event]:
        """Yield what a channel that is not broken means for its connector."""
        silent = self._silence(view, unit, now)
        if silent is not None and view.level is Level.FRESH:
            view.level = Level.CONNECTED if view.spec.streams else Level.LIVE
        lived = unit.begun is not None and view.reading is not None and view.reading.verdict in _SPOILT
        if view.level is not unit.level or lived > unit.lived:
            yield Observed(view.level, lived=lived)
        if silent is not None and unit.state is not State.STALE:
            yield Silent(silent)
        elif silent is None and unit.state is State.STALE:
            yield Recovered()

    def _silence(self, view: View, unit: Unit, now: float) -> str | None:
        """Return why the channel of a connector that somebody relies on is stale, None when it is not."""
        served = unit.state is State.STARTING and unit.overdue and view.attached is not None
        if unit.state not in {State.UP, State.STALE} and not served:
            view.cut = None
            return None
        gone = bool(view.spec.streams) and view.proof is Proof.NONE
        view.cut = (now if view.cut is None else view.cut) if gone else None
        health = view.spec.health
        moved = view.moved if view.moved is not None and (view.attached or 0.0) <= view.moved else None
        signs = Signs(view.attached, moved, view.slow, view.cut)
        return silence(signs, health, now, loud=loud(health.quiet, self._wall()) if health.quiet else math.inf)

    def _fresh_nodes(self, view: View, now: float) -> Nodes:
        where = location(view.spec)
        cached = self._nodes.get(where)
        if cached is not None and cached[0] == now:
            return cached[1]
        nodes = scan_nodes(where)
        self._nodes[where] = (now, nodes)
        return nodes

    def _proof(self, view: View, now: float) -> Proof:
        proofs = [
            proof(stream, self._names.addresses(stream.host, now), self._connections.of(view.pid, now))
            for stream in view.spec.streams
        ]
        if Proof.NONE in proofs:
            return Proof.NONE
        return Proof.UNPROVEN if Proof.UNPROVEN in proofs else Proof.PROVEN

    def _count(self, view: View, links: tuple[BotLink, ...], now: float) -> None:
        if not links:
            view.attached = view.slow = None
        elif view.attached is None:
            view.attached = now
        if view.sampled is None:
            view.sampled = (now, links)
        elif now - view.sampled[0] >= _SAMPLE:
            since, sampled = view.sampled
            counts = {link.pid: link.written for link in sampled}
            gains = [link.written - counts[link.pid] for link in links if link.pid in counts]
            view.rate = max(gains) / (now - since) if gains else None
            crawls = view.rate is not None and view.rate < view.spec.health.min_rate
            view.slow = (now if view.slow is None else view.slow) if crawls else None
            view.sampled = (now, links)

    def _bots(self, graph: Graph, units: Mapping[str, Process], now: float) -> list[tuple[str, Event]]:
        events: list[tuple[str, Event]] = []
        for name, process in units.items():
            unit = graph.units[name]
            spec = graph.used(name)
            if spec.kind is not Kind.BOT or not spec.attaches or unit.stopping is not None:
                continue
            age = now - unit.spawned
            attached = all(self._is_attached(connector, process, age) for connector in spec.attaches)
            level = Level.READY if attached else Level.STARTED
            if level is not unit.level:
                events.append((name, Observed(level)))
        return events

    def _is_attached(self, connector: str, process: Process, age: float) -> bool:
        """Tell whether a bot that has run for `age` seconds is seen on a channel.

        Where the channel cannot be verified, it counts when it has opened the service; where not even that can be seen,
        when it has lived for a second.
        """
        view = self._views.get(connector)
        if view is None:
            return False
        users = () if view.reading is None else view.reading.users
        if users is None:
            return age >= COUNTS_AFTER
        return any(belongs(pid, process) for pid in (*(link.pid for link in view.bots), *users))

    def strangers(self, connectors: Iterable[str], units: Mapping[str, Process]) -> list[tuple[str, int]]:
        """Return (connector, pid) of each bot on these connectors' channels that is none of our units' processes."""
        found: list[tuple[str, int]] = []
        for name in connectors:
            view = self._views.get(name)
            if view is None:
                continue
            reading = view.probe.scan(scan_nodes(location(view.spec)), pid=view.pid)
            seen = [*(link.pid for link in reading.bots), *(reading.users or ())]
            strange = [pid for pid in seen if not any(belongs(pid, process) for process in units.values())]
            found.extend((name, pid) for pid in strange)
        return found


def belongs(pid: int, unit: Process) -> bool:
    """Tell whether a process is the unit's own, or one that the unit started."""
    return pid == unit.id.pid or is_member(pid, unit)


def before_start(spec: UnitSpec) -> Reading | None:
    """Return what a connector's channel is before the connector is started; None for a unit without one."""
    if spec.channel is None:
        return None
    where = location(spec)
    probe = Probe(where, spec.channel.name)
    try:
        return probe.scan(scan_nodes(where), pid=None)
    finally:
        probe.close()


def holder(spec: UnitSpec) -> int | None:
    """Return the pid of the living process that holds a connector's channel, before the connector is started.

    None when nobody does, 0 when the holder lives in another pid namespace.
    """
    reading = before_start(spec)
    return (reading.owner or 0) if reading is not None and reading.verdict is Verdict.FOREIGN else None


def location(spec: UnitSpec) -> Location:
    """Return where a connector's channel lies."""
    assert spec.channel is not None  # noqa: S101 - asked of connectors only
    return Location(root=spec.channel.root, prefix=spec.channel.prefix)


def _beat(now: float, every: float) -> float:
    """Return the next instant of a beat that all channels share: one wake looks at all, with warm caches."""
    return (now // every + 1) * every


def _awaiting(graph: Graph) -> frozenset[str]:
    """Return the connectors to which a bot is about to attach."""
    return frozenset(
        connector
        for bot, unit in graph.units.items()
        if unit.state is State.STARTING and not unit.overdue
        for connector in graph.used(bot).attaches
    )


def _is_climbing(unit: Unit, view: View) -> bool:
    return unit.state is State.STARTING and not unit.overdue and not reaches(view.level, view.spec.target)


def _level(view: View, now: float) -> Level:
    if view.unverified is not None and not reaches(view.level, Level.LIVE) and now - view.unverified < COUNTS_AFTER:
        # its services are open; its ports, which cannot be seen, follow
        return Level.STARTED
    if view.reading is None or view.reading.verdict not in _HOLDS:
        settled = view.bad_since is not None and now - view.bad_since >= COUNTS_AFTER
        if settled or not reaches(view.level, Level.LIVE):
            return Level.STARTED
        return view.level
    if view.spec.streams and view.proof is Proof.NONE:
        return Level.LIVE
    if view.moved is not None and view.bots and now - view.moved <= view.spec.health.stale_after:
        return Level.FRESH
    return Level.CONNECTED if view.spec.streams else Level.LIVE


def _is_nobodys(reading: Reading) -> bool:
    """Tell whether the process holds no port at all: an external one is then not this connector, or not any more."""
    return reading.verdict in {Verdict.MISSING, Verdict.STALE, Verdict.FOREIGN} or (
        reading.verdict in {Verdict.STARTING, Verdict.RELEASED} and reading.owner is None
    )


def _broken(view: View, unit: Unit, now: float) -> str | None:
    reading = view.reading
    gone = view.spec.external and reading is not None and _is_nobodys(reading)
    if reading is None or reading.verdict in _HOLDS or not (unit.lived or gone):
        view.bad_since = None
        return None
    if view.bad_since is None:
        view.bad_since = now
    if not (reading.verdict in _LOST or gone) or now - view.bad_since < COUNTS_AFTER:
        return None
    return f"channel {reading.verdict.value}" + (f": {reading.detail}" if reading.detail else "")
