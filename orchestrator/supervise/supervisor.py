"""The supervisor: one loop that feeds events to the graph and performs what it asks for.

Everything that decides is elsewhere: `unit` and `graph` say what follows from an event, `watch` what a channel means.
Here is the order among clock, processes and records: intents are on disk before anything acts on them, and a process
is recorded before its program begins.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
import traceback
from collections import ChainMap, deque
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestrator.deployment.model import Kind, Level, Logs
from orchestrator.errors import HftstackError, RefusedError
from orchestrator.logs.archivist import Archivist
from orchestrator.supervise import alarms, halt, watch
from orchestrator.supervise import graph as rules
from orchestrator.supervise import process as processes
from orchestrator.supervise.adopt import adopt, is_started_from
from orchestrator.supervise.announcer import Announcer
from orchestrator.supervise.configs import ConfigFolder
from orchestrator.supervise.hooks import Hooks
from orchestrator.supervise.journal import Journal
from orchestrator.supervise.ledger import Ledger
from orchestrator.supervise.leftovers import Leftovers
from orchestrator.supervise.lookout import Lookout, holding
from orchestrator.supervise.names import Names
from orchestrator.supervise.process import Process, SpawnError
from orchestrator.supervise.ready import Checks
from orchestrator.supervise.renewal import Renewal
from orchestrator.supervise.report import describe
from orchestrator.supervise.rescue import Rescue
from orchestrator.supervise.roster import Roster
from orchestrator.supervise.standby import Standbys
from orchestrator.supervise.starter import HeldSpawnError, RefusedSpawnError, Starter
from orchestrator.supervise.termination import Termination
from orchestrator.supervise.unit import (
    Appeared,
    Exited,
    Halt,
    Held,
    Kill,
    LetGo,
    Note,
    Observed,
    Soften,
    Spawn,
    SpawnFailed,
    Terminate,
    Tick,
    Tidy,
)
from orchestrator.supervise.vigil import Vigil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from orchestrator.deployment.homes import StackHome
    from orchestrator.deployment.model import Deployment, UnitSpec
    from orchestrator.supervise.gate import Gated
    from orchestrator.supervise.graph import Graph, Todo
    from orchestrator.supervise.halt import Halt as Latch
    from orchestrator.supervise.records import Before
    from orchestrator.supervise.unit import Action, Event


class Supervisor:
    """Runs the units of one stack. Lives in one asyncio loop; nothing here is for another thread."""

    def __init__(self, stack: str, home: StackHome, prefix: str, *, listen: Callable[[dict[str, Any]], None]) -> None:
        """Prepare; `prefix` begins the marker of every unit, `listen` hears every event."""
        self.stack = stack
        self.deployment: Deployment | None = None
        self.graph: Graph = rules.Graph()
        names = Names()
        self.watch = watch.Watch(names)
        self.started = time.time()
        self.obey: Callable[[], None] = lambda: None
        self.halted_units: tuple[str, ...] = ()
        self._home = home
        self._loop = asyncio.get_running_loop()
        self._prefix = prefix
        self._journal = Journal(home.journal)
        self._processes: dict[str, Process] = {}
        self._gated: list[Gated] = []
        self._spared: set[int] = set()
        self._external: dict[str, Process] = {}
        self._announcer = Announcer(self._journal, ChainMap(self._processes, self._external), listen)
        self.listeners = self._announcer.listeners
        self.note = self._announcer.note
        self.listeners.add(self._alarm)
        self._ledger = Ledger(home, processes.boot_id(), self.note)
        self._starter = Starter(home, prefix, self.note)
        self._archivist = Archivist(self._processes, home.logs, self._log_bounds, self.note, home.supervisor_log)
        self._standbys = Standbys(self._starter, self._spared)
        self._roster = Roster(
            self._processes,
            self._external,
            self._spared,
            graph=lambda: self.graph,
            ledger=self._ledger,
            note=self.note,
            gone=self._gone,
            release=self._acknowledge,
        )
        self._termination = Termination(self._processes)
        self._leftovers = Leftovers(self._processes, self._spared, prefix, self.note)
        self._configs = ConfigFolder(home.configs)
        self._checks = Checks(self._spared, self.note)
        self._lookout = Lookout(
            self._external, lambda: self.graph, appeared=self._appeared, feed=self.feed, note=self.note
        )
        self._hooks = Hooks(self._spared, self.note)
        self._renewal = Renewal(lambda: self.graph, self._processes, feed=self.feed, note=self.note)
        self._rescue = Rescue(lambda: self.graph, names, feed=self.feed)
        self._vigil = Vigil(home.units, home.alive, self._beat)
        self._release: Callable[[int], None] = lambda _: None
        self._inbox: deque[tuple[str, Event]] = deque()
        self._draining = False
        self._timer: asyncio.TimerHandle | None = None
        self._looking: asyncio.TimerHandle | None = None
        self._changed = asyncio.Event()
        self._random = random.Random()  # noqa: S311 - spreads restarts, guards nothing

    def now(self) -> float:
        """Return the loop's monotonic clock, in seconds."""
        return self._loop.time()

    # Beginning and end

    def guarded_by(self, guardian: int, release: Callable[[int], None]) -> None:
        """Have a parent that keeps zombies until `release` is called with their pid."""
        self._leftovers.guardian = guardian
        self._release = release

    def _acknowledge(self, pid: int) -> None:
        self._release(pid)

    def begin(self, *, hold: bool) -> None:
        """Read the records and take over what runs.

        Raises RefusedError for records that are damaged, HftstackError for what this machine cannot tell now.

        `hold`: nothing that is down is started, until `apply`.
        """
        processes.become_subreaper()
        self._loop.add_signal_handler(signal.SIGCHLD, self._leftovers.reap)
        self.deployment, intents, known = self._ledger.read()
        try:
            adoption = adopt(self.deployment, intents, known, self._prefix, self.now(), hold=hold, find=holding)
        except OSError as error:
            raise HftstackError(
                f"cannot tell what runs: {error.strerror}", hint="nothing was touched; try again"
            ) from None
        self.graph = adoption.graph
        self.note(None, "supervised", f"{len(adoption.processes)} units adopted" if adoption.processes else "")
        gap = self._vigil.gap(intents)
        if gap is not None:
            self.note(None, "unsupervised", gap, self._vigil.since())
        for name, process in adoption.external.items():
            self._lookout.hold(name, process)
        for name, process in adoption.processes.items():
            self._roster.watch(name, process)
        for name, process in (adoption.external | adoption.processes).items():
            self.note(name, "adopted", f"pid {process.id.pid}")
            self._observe(name, self.graph.used(name), process)
        if adoption.processes or adoption.external:
            self._roster.keep()
        self._vigil.keep()
        self._archivist.begin()
        latched = self.latched()
        if latched is not None:
            self.halt(str(latched))
        self._leftovers.end_strays()
        for name, end in adoption.ended.items():
            self.note(name, "adopted", f"pid {end.id.pid}, which had ended while nobody supervised it")
            if not hold:
                self.feed(name, Exited(end.code))
        unwanted = [name for name, unit in self.graph.units.items() if unit.alive and not unit.wanted]
        self._become(rules.stop(self.graph, unwanted, "not wanted", self.now()))
        self._drain()
        self._renewal.ask()

    async def end(self) -> None:
        """Let go of everything; units that run go on running."""
        await self._hooks.close()
        self._checks.end_all()
        self._lookout.close()
        self._renewal.close()
        self._rescue.close()
        self._vigil.end()
        self._standbys.end()
        self._leftovers.forget()
        for handle in (self._timer, self._looking):
            if handle is not None:
                handle.cancel()
        await self._archivist.end()
        await asyncio.to_thread(self._journal.close)

    # What others ask for

    def apply(self, deployment: Deployment, only: Iterable[str] | None = None) -> None:
        """Bring a deployment in; what it changes is on disk before anything is done.

        Raises RefusedError, with nothing done, when that is impossible.
        """
        self._ledger.keep_deployment(deployment)
        self.deployment = deployment
        self._recognise(deployment)
        self._become(rules.apply(self.graph, deployment, self.now(), only=only))
        for name, unit in self.graph.units.items():
            if unit.running is not None:
                self.watch.update(name, unit.running)
        self._archivist.soon()
        self._drain()
        self._configs.prune(self.graph)
        self._renewal.ask()

    def unfinished(self) -> Before | None:
        """Return what a change began from that an earlier supervisor was at when it died."""
        return self._ledger.read_before()

    def spare(self, before: Before | None) -> None:
        """Keep what may be brought back, on disk too, and its configs; None when nothing may any more.

        Raises RefusedError when it cannot be written.
        """
        spared, self._configs.spared = self._configs.spared, () if before is None else before.deployment.units
        self._ledger.keep_before(before)
        if spared:
            self._configs.prune(self.graph)

    def _recognise(self, deployment: Deployment) -> None:
        """Know again, by their markers, units whose deployment was lost."""
        units = dict(self.graph.units)
        for spec in deployment.units:
            unit, process = units.get(spec.name), self._processes.get(spec.name)
            if unit is None or process is None or unit.running is None or unit.running.argv:
                continue
            if is_started_from(process.marker, spec):
                units[spec.name] = replace(unit, running=spec)
        self.graph = replace(self.graph, units=units)

    def start(self, names: Iterable[str]) -> None:
        """Start units and what they need."""
        self._become(rules.start(self.graph, names, self.now()))
        self._drain()

    def restart(self, names: Iterable[str], reason: str) -> None:
        """Stop units and start them again; the graph takes care of what hangs below them."""
        self._become(rules.restart(self.graph, names, reason, self.now()))
        self._drain()

    def stop(self, names: Iterable[str], reason: str, *, hurry: bool = False) -> None:
        """Stop units and what hangs below them; the graph takes care of the order."""
        known = [name for name in names if name in self.graph.units]
        self._become(rules.stop(self.graph, known, reason, self.now(), hurry=hurry))
        self._drain()

    def set_aside(self) -> None:
        """Remember which units were down before the whole stack goes down."""
        self._ledger.set_aside(self.graph)

    def latched(self) -> Latch | None:
        """Return what keeps the stack down, None when nothing does."""
        return halt.latched(self._home)

    def refuse_halted(self) -> None:
        """Raise RefusedError when the stack is halted."""
        latched = self.latched()
        if latched is not None:
            raise halt.refusal(self.stack, latched)
        if self.graph.halted is not None:
            raise RefusedError(f"{self.stack} was {self.graph.halted}", hint="it has been released: try again")

    def halt(self, why: str, *, hurry: bool = False) -> None:
        """Stop everything, dependents first, and start nothing any more, whoever asks."""
        first = self.graph.halted is None
        if first:
            running = self._processes.keys() | self._external.keys()
            self.halted_units = tuple(name for name in self.graph.units if name in running)
            self.note(None, "halted", why)
            self.set_aside()
        self._become(rules.halt(self.graph, self.graph.halted or why, self.now(), hurry=hurry))
        self._drain()
        with suppress(OSError):
            for name, pid in self.strangers() if first else ():
                text = f"a bot that is not ours stays attached, and is blind: pid {pid} ({processes.command_line(pid)})"
                self.note(name, "stranger", text)

    def latch(self, reason: str, by: str) -> None:
        """Halt this stack as `hftstack halt --stack` does; `by` is what takes the place of a user's name."""
        try:
            why = str(halt.latch(self._home, reason, by))
        except halt.LatchError as error:
            self.note(None, "record", str(error))
            why = f"halted by {by}: {reason}"
        self.note(None, "halt", why, {"user": by, "reason": reason})
        self.halt(why)
        self.obey()

    def _beat(self) -> None:
        """Write what could not be written, and find a latch whose owner did not get as far as telling us."""
        self._ledger.keep_intents(self.graph)
        if self.graph.halted is None and halt.is_latched(self._home):
            self.obey()

    def strangers(self) -> list[tuple[str, int]]:
        """Return (connector, pid) of each foreign process attached to a channel of ours as a bot."""
        connectors = [name for name in self._processes if self.graph.used(name).kind is Kind.CONNECTOR]
        return self.watch.strangers(connectors, self._processes)

    @property
    def is_needed(self) -> bool:
        """Tell whether a unit runs, or is to: after a backoff, when its exchange may be asked again, when it can."""
        return bool(self._processes) or any(unit.wanted for unit in self.graph.units.values())

    def pids(self) -> dict[str, int]:
        """Return the process of each unit that runs."""
        return {name: process.id.pid for name, process in self._processes.items()}

    async def changed(self, within: float | None = None) -> None:
        """Return when something changed, or after `within` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._changed.wait()

    async def swept(self) -> None:
        """Return when what the units left behind has been ended."""
        await self._leftovers.swept()

    async def sweep_all(self) -> dict[int, str]:
        """End what all units left behind, at once. Returns pid -> command of what could not be ended."""
        self._leftovers.forget()
        await self._leftovers.clear(self._leftovers.find())
        return self._leftovers.find()

    async def hooks_finished(self, *, hurry: bool) -> None:
        """Return when the hooks under way have ended, at their timeouts at the latest; `hurry` does not wait."""
        seconds = self._hooks.under_way()
        if hurry:
            self._hooks.hurry()
        elif seconds is not None:
            self.note(None, "hook", f"hooks are under way, they are waited for {seconds:g} s at most")
            await self._hooks.finish()

    def describe(self) -> list[dict[str, Any]]:
        """Return the units' objects of `status`, in the deployment's order."""
        now, wall = self.now(), time.time()
        pids = {name: process.id.pid for name, process in (self._processes | self._external).items()}
        return [
            describe(
                name,
                self.graph,
                pid=pids.get(name),
                watch=self.watch,
                log=self._starter.log_of(name, self._processes.get(name)),
                log_lost=self._archivist.lost(name),
                now=now,
                wall=wall,
            )
            for name in self.graph.units
        ]

    # The loop

    def feed(self, name: str, event: Event) -> None:
        """Take an event in."""
        self._inbox.append((name, event))
        self._drain()

    def _drain(self) -> None:
        if self._draining:
            return
        self._draining = True
        try:
            while self._inbox:
                name, event = self._inbox.popleft()
                if name in self.graph.units:
                    self._become(rules.step(self.graph, name, event, self.now(), noise=self._random.random))
        finally:
            self._draining = False
            self._lookout.seek()
            self._rescue.follow()
            self._standbys.follow(self.graph)
            self._schedule()
            self._changed.set()
            self._changed = asyncio.Event()

    def _become(self, turned: tuple[Graph, Todo]) -> None:
        self.graph, todo = turned
        self._ledger.keep_intents(self.graph)
        if any(self._tells(name, action) for name, action in todo):
            self._roster.keep()  # an end that follows is part of the stop, whoever sees it
        with self._announcer.held():
            for name, action in todo:
                self._try(name, action)
            self._open_gates()
        if self._ledger.is_behind(self.graph):
            self._roster.keep()

    def _try(self, name: str, action: Action) -> None:
        try:
            self._perform(name, action)
        except Exception as error:  # noqa: BLE001 - what else is to be done must be done
            traceback.print_exc()
            self.note(name, "unexpected", f"{type(action).__name__}: {type(error).__name__}: {error}")
            if isinstance(action, Spawn) and name not in self._processes:
                self._inbox.append((name, SpawnFailed(f"{type(error).__name__}: {error}")))

    def _schedule(self) -> None:
        due = rules.deadline(self.graph)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if due is None else self._loop.call_at(due, self._tick)
        look = self.watch.due()
        if self._looking is not None:
            self._looking.cancel()
        self._looking = None if look is None else self._loop.call_at(look, self._look)

    def _tick(self) -> None:
        now = self.now()
        for name, unit in self.graph.units.items():
            if unit.deadline is not None and unit.deadline <= now:
                self._inbox.append((name, Tick()))
        self._drain()

    def _look(self) -> None:
        try:
            self._inbox.extend(self.watch.look(self.graph, self._processes, self.now()))
        except OSError as error:
            self.note(None, "blind", f"cannot look at the channels: {error.strerror}")
        if self._inbox:
            self._drain()
        else:
            self._schedule()

    # The units' processes

    def _perform(self, name: str, action: Action) -> None:
        process = self._processes.get(name)
        match action:
            case Spawn(spec=spec):
                self._spawn(name, spec)
            case Note(what=what, text=text):
                self.note(name, what, text, self.watch.heard(name, self.now()) if what == "level" else None)
            case Soften() if process is not None:
                if not processes.soften(process.id.pid):
                    self.note(name, "not-softened", "timer slack refused: repeated SIGTERM alone")
            case Terminate() if process is not None:
                self._signalled(name, signal.SIGTERM, self._terminate(name, process))
            case Kill() if process is not None:
                self._signalled(name, signal.SIGKILL, process.signal(signal.SIGKILL))
            case Tidy(spec=spec):
                self._starter.tidy(name, spec)
            case LetGo():
                self._let_go(name)
            case Halt(reason=reason):
                self._loop.call_soon(self.latch, f"{name}: {reason}", "hftstack")
            case _:
                pass

    def _signalled(self, name: str, number: signal.Signals, permitted: bool) -> None:  # noqa: FBT001 - what came of it
        if not permitted:
            self.note(name, "not-signalled", f"{number.name} refused: the process belongs to another user")

    def _terminate(self, name: str, process: Process) -> bool:
        """Send SIGTERM; to a connector that was live, when it hears."""
        unit, spec = self.graph.units[name], self.graph.used(name)
        begun = unit.stopping is not None and unit.stopping.begun is not None
        if begun and unit.lived and spec.kind is Kind.CONNECTOR:
            permitted = self._termination.terminate_connector(process, spec)
        else:
            permitted = self._termination.terminate(process)
        if not process.told:
            process.told = True
            self._roster.keep()
        return permitted

    def _tells(self, name: str, action: Action) -> bool:
        """Tell whether an action sends the first signal of a stop."""
        process = self._processes.get(name)
        return isinstance(action, Terminate) and process is not None and not process.told

    def _spawn(self, name: str, spec: UnitSpec) -> None:
        if halt.is_latched(self._home):
            self._inbox.append((name, SpawnFailed(str(self.latched()), refused=True)))
            self._loop.call_soon(self.obey)
            return
        try:
            unit = self.graph.units[name]
            self._starter.clear(name, spec, retries=unit.retries)
            self._starter.ration(spec, failed=unit.is_troubled)
            gated = self._standbys.take(name, spec) or self._starter.prepare(name, spec)
            self._starter.begin(name, gated)
        except HeldSpawnError as error:
            self._inbox.append((name, Held(str(error), error.seconds)))
            return
        except SpawnError as error:
            self._inbox.append((name, SpawnFailed(str(error), refused=isinstance(error, RefusedSpawnError))))
            return
        process = gated.process
        self._roster.watch(name, process)
        self._gated.append(gated)
        self.note(name, "start")
        self._archivist.soon()
        self._observe(name, spec, process)

    def _open_gates(self) -> None:
        """Let the programs begin whose processes wait for it, once all of them are recorded."""
        if not self._gated:
            return
        self._roster.keep()
        for gated in self._gated:
            gated.open()
        self._gated.clear()
        self._roster.keep_soon()

    def _appeared(self, name: str) -> None:
        """Watch the channel of an external connector that has been found."""
        spec, process = self.graph.specs[name], self._external[name]
        self._roster.keep()
        self._inbox.append((name, Appeared()))
        self._observe(name, spec, process)
        self._drain()

    def _log_bounds(self, name: str) -> Logs:
        """Return how a unit's output is kept; asked by another thread, which sees this graph or the one before."""
        graph = self.graph
        return graph.used(name).logs if name in graph.units else Logs()

    def _let_go(self, name: str) -> None:
        self._lookout.let_go(name)
        self.watch.forget(name)
        self._roster.keep()

    def _alarm(self, event: dict[str, Any]) -> None:
        """Tell the operator's hooks of an event that is for them."""
        if self.deployment is not None:
            for hook in alarms.hooks(event, self.deployment, self.graph):
                message = alarms.message(event, self.deployment, self.graph)
                self._hooks.tell(hook, message, urgent=alarms.is_urgent(event, self.graph))

    def _observe(self, name: str, spec: UnitSpec, process: Process) -> None:
        match spec.kind:
            case Kind.CONNECTOR:
                self.watch.track(name, spec, process.id.pid)
                self._inbox.append((name, Observed(Level.STARTED)))
            case Kind.SERVICE if spec.ready is not None:
                self._inbox.append((name, Observed(Level.STARTED)))
                ready = Observed(Level.READY)
                if spec.ready.log is not None and process.log in {None, "", os.devnull}:
                    self.note(name, "no-log", "it has no log to search for its ready line: taken as written")
                    self._inbox.append((name, ready))
                else:
                    self._checks.begin(name, spec, process.log or os.devnull, lambda: self.feed(name, ready))
            case Kind.BOT if spec.attaches:
                self._inbox.append((name, Observed(Level.STARTED)))
                for connector in spec.attaches:
                    self.watch.hurry(connector)
            case _:
                self._inbox.append((name, Observed(Level.READY)))

    def _gone(self, name: str, process: Process, code: int | None) -> None:
        self._checks.end(name)
        self.watch.forget(name)
        self.watch.forget_bot(process.id.pid)
        self._termination.left(self.graph.used(name).attaches)
        self._termination.forget(process)
        ran = self.graph.used(name)
        self.feed(name, Exited(code))
        self._configs.release(ran, self.graph)
        self._leftovers.sweep(process)
        self._archivist.soon()
