"""The supervisor: one loop that feeds events to the graph and performs what it asks for.

Everything that decides is elsewhere: `unit` and `graph` say what follows from an event, `watch` what a channel means.
Here are the clock, the processes and the records, and the order among them: intents are on disk before anything acts
on them, and a process is recorded before its program begins.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import signal
import time
import traceback
from collections import deque
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from orchestrator.channel.departure import has_connections_of_the_dead
from orchestrator.channel.repair import repair
from orchestrator.deployment import codec
from orchestrator.deployment.model import Kind, Level
from orchestrator.errors import RefusedError
from orchestrator.supervise import graph as rules
from orchestrator.supervise import process as processes
from orchestrator.supervise import records, watch
from orchestrator.supervise.adopt import adopt, digest, started_from
from orchestrator.supervise.journal import Event as Entry
from orchestrator.supervise.journal import Journal
from orchestrator.supervise.logfiles import LogFiles
from orchestrator.supervise.lull import Lull
from orchestrator.supervise.names import Names
from orchestrator.supervise.process import Command, Process, ProcessId, SpawnError
from orchestrator.supervise.ready import until_ready
from orchestrator.supervise.records import Intent, Intents, UnitIntent, UnitRecord, Units
from orchestrator.supervise.report import describe, instant
from orchestrator.supervise.unit import (
    Exited,
    Kill,
    Note,
    Observed,
    Soften,
    Spawn,
    SpawnFailed,
    State,
    Terminate,
    Tick,
    ending,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from orchestrator.deployment.homes import StackHome
    from orchestrator.deployment.model import Deployment, UnitSpec
    from orchestrator.supervise.graph import Graph, Todo
    from orchestrator.supervise.unit import Action, Event

_MEMBERS_GRACE: Final = 1.0
_REPAIR_AT: Final = 2
"""Starts in a row that died before they were live: one may be iceoryx2 cleaning up, this many are remains."""

_SWEEP_AFTER: Final = 0.5
_RECORD_AFTER: Final = 0.1
_QUIET_EVERY: Final = 0.001
_QUIET_WITHIN: Final = 0.5
_TIDIED_WITHIN: Final = 0.25
"""Seconds in which the publisher takes down the connection of a bot that has left: a SIGTERM that comes while it does
is lost (13 of 20 after 30 ms, none of 20 after 100 ms, measured). Without data it does not, and nothing is lost."""

_REAP_AGAIN: Final = 0.05


class Supervisor:
    """Runs the units of one stack. Lives in one asyncio loop; nothing here is for another thread."""

    def __init__(self, stack: str, home: StackHome, prefix: str, *, listen: Callable[[dict[str, Any]], None]) -> None:
        """Prepare; `prefix` begins the marker of every unit, `listen` hears every event."""
        self.stack = stack
        self.home = home
        self.prefix = prefix
        self.deployment: Deployment | None = None
        self.graph: Graph = rules.Graph()
        self.watch = watch.Watch(Names())
        self.listeners: set[Callable[[dict[str, Any]], None]] = {listen}
        self.started = time.time()
        self._loop = asyncio.get_running_loop()
        self._boot = processes.boot_id()
        self._journal = Journal(home.journal)
        self._processes: dict[str, Process] = {}
        self._codes: dict[str, int | None] = {}
        self._digests: dict[str, tuple[UnitSpec, str]] = {}
        self._intents = Intents()
        self._inbox: deque[tuple[str, Event]] = deque()
        self._draining = False
        self._timer: asyncio.TimerHandle | None = None
        self._looking: asyncio.TimerHandle | None = None
        self._changed = asyncio.Event()
        self._checks: dict[str, asyncio.Task[None]] = {}
        self._sweeps: set[asyncio.Task[None]] = set()
        self._spared: set[int] = set()
        self._left: dict[str, float] = {}
        self._told: set[Process] = set()
        self._hushed: set[Process] = set()
        self._logs = LogFiles(home.logs)
        self._nofile = processes.raise_descriptor_limit()
        self._random = random.Random()  # noqa: S311 - spreads restarts, guards nothing
        self._softens = os.geteuid() == 0 or processes.may_soften_others()
        self._namespaces: bool | None = None

    def now(self) -> float:
        """Return the loop's monotonic clock, in seconds."""
        return self._loop.time()

    # Beginning and end

    def begin(self, *, hold: bool) -> None:
        """Read the records and take over what runs. Raises RefusedError for records that cannot be read.

        `hold`: nothing that is down is started, until `apply`.
        """
        processes.become_subreaper()
        self._loop.add_signal_handler(signal.SIGCHLD, self._reap_orphans)
        self.deployment = records.read_deployment(self.home.deployment)
        self._intents = records.read_intents(self.home.intent)
        known = records.read_units(self.home.units, self._boot)
        try:
            adoption = adopt(self.deployment, self._intents, known, self.prefix, self.now(), hold=hold)
        except OSError as error:
            raise RefusedError(
                f"cannot tell what runs: {error.strerror}", hint="nothing was touched; try again"
            ) from None
        self.graph = adoption.graph
        self.note(None, "supervised", f"{len(adoption.processes)} units adopted" if adoption.processes else "")
        for name, process in adoption.processes.items():
            self._processes[name] = process
            self._loop.add_reader(process.pidfd, self._ended, name, process)
            self.note(name, "adopted", f"pid {process.id.pid}")
            self._observe(name, self.graph.used(name), process)
        if adoption.processes:
            self._keep_records()
        self._end_strays()
        unwanted = [name for name, unit in self.graph.units.items() if unit.alive and not unit.wanted]
        self._become(rules.stop(self.graph, unwanted, "not wanted", self.now()))
        self._drain()

    def _end_strays(self) -> None:
        """End what units left behind that ended while nobody supervised them."""
        mains = {process.marker for process in self._processes.values()}
        strays = [pid for pid, marker in processes.members(self.prefix).items() if marker not in mains]
        if strays:
            self.note(None, "members", f"{len(strays)} processes of units that are gone are ended")
            self._later(self.clear(strays))

    async def end(self) -> None:
        """Let go of everything; units that run go on running."""
        for task in (*self._checks.values(), *self._sweeps):
            task.cancel()
        for handle in (self._timer, self._looking):
            if handle is not None:
                handle.cancel()
        await asyncio.to_thread(self._journal.close)

    # What others ask for

    def apply(self, deployment: Deployment, only: Iterable[str] | None = None) -> None:
        """Bring a deployment in; what it changes is on disk before anything is done.

        Raises RefusedError, with nothing done, when that is impossible.
        """
        try:
            records.replace_file(self.home.deployment, codec.encode(deployment), durable=True)
        except OSError as error:
            raise RefusedError(
                f"cannot record the deployment: {error.strerror}", where=str(self.home.deployment)
            ) from None
        self.deployment = deployment
        self._recognise(deployment)
        self._become(rules.apply(self.graph, deployment, self.now(), only=only))
        for name, spec in self.graph.specs.items():
            if self.graph.units[name].running is spec:
                self.watch.update(name, spec)
        self._drain()

    def _recognise(self, deployment: Deployment) -> None:
        """Know again, by their markers, units whose deployment was lost."""
        units = dict(self.graph.units)
        for spec in deployment.units:
            unit, process = units.get(spec.name), self._processes.get(spec.name)
            if unit is None or process is None or unit.running is None or unit.running.argv:
                continue
            if started_from(process.marker) == self._digest(spec):
                units[spec.name] = replace(unit, running=spec)
        self.graph = replace(self.graph, units=units)

    def stop(self, names: Iterable[str], reason: str, *, hurry: bool = False) -> None:
        """Stop units and what hangs below them; the graph takes care of the order."""
        known = [name for name in names if name in self.graph.units]
        self._become(rules.stop(self.graph, known, reason, self.now(), hurry=hurry))
        self._drain()

    def strangers(self) -> list[tuple[str, int]]:
        """Return (connector, pid) of each foreign process attached to a channel of ours as a bot."""
        connectors = [name for name in self._processes if self.graph.used(name).kind is Kind.CONNECTOR]
        return self.watch.strangers(connectors, self._processes)

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
        while self._sweeps:
            await asyncio.wait(self._sweeps)

    def forget_sweeps(self) -> None:
        """Leave what units left behind to a scan for all of them at once."""
        for sweep in self._sweeps:
            sweep.cancel()

    def leftovers(self) -> dict[int, str]:
        """Return pid -> command of what still carries a marker of this stack, or is an orphan handed to us."""
        main = set(self.pids().values())
        found = [pid for pid in processes.members(self.prefix) if pid not in main]
        found += [pid for pid in processes.children() if pid not in main and pid not in self._spared]
        return {pid: processes.command_line(pid) for pid in found if processes.identity(pid) is not None}

    async def clear(self, pids: Iterable[int]) -> None:
        """End processes that units left behind: SIGTERM, and SIGKILL a second later."""
        remaining = processes.present(pids)
        processes.signal_all(remaining, signal.SIGTERM)
        until = self.now() + _MEMBERS_GRACE
        while remaining and self.now() < until:
            await asyncio.sleep(0.01)
            remaining = [process for process in remaining if process in processes.present([process.pid])]
        processes.signal_all(remaining, signal.SIGKILL)

    def describe(self) -> list[dict[str, Any]]:
        """Return the units' objects of `status`, in the deployment's order."""
        now, wall = self.now(), time.time()
        pids = self.pids()
        return [
            describe(
                name,
                self.graph,
                pid=pids.get(name),
                view=self.watch.view(name),
                log=self._log_of(name),
                now=now,
                wall=wall,
            )
            for name in self.graph.units
        ]

    def note(self, unit: str | None, what: str, text: str = "") -> None:
        """Journal an event and tell those who listen."""
        at = time.time_ns()
        process = None if unit is None else self._processes.get(unit)
        pid = None if process is None else process.id.pid
        self._journal.record(Entry(at, unit, what, text, pid))
        event = {"at": instant(at / 1e9), "unit": unit, "what": what, "text": text, "pid": pid}
        for listener in list(self.listeners):
            try:
                listener(event)
            except OSError:  # whoever listened has gone
                self.listeners.discard(listener)

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
                    self._become(rules.step(self.graph, name, event, self.now(), noise=self._random.random()))
        finally:
            self._draining = False
            self._schedule()
            self._changed.set()
            self._changed = asyncio.Event()

    def _become(self, turned: tuple[Graph, Todo]) -> None:
        self.graph, todo = turned
        self._keep_intents()
        for name, action in todo:
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

    def _perform(self, name: str, action: Action) -> None:
        process = self._processes.get(name)
        match action:
            case Spawn(spec=spec):
                self._spawn(name, spec)
            case Note(what=what, text=text):
                self.note(name, what, text)
            case Soften() if process is not None:
                if not processes.soften(process.id.pid):
                    self.note(name, "not-softened", "timer slack refused: repeated SIGTERM alone")
            case Terminate() if process is not None:
                self._terminate(name, process)
            case Kill() if process is not None:
                self._signal(name, process, signal.SIGKILL)
            case _:
                pass

    def _signal(self, name: str, process: Process, number: signal.Signals) -> None:
        if not process.signal(number):
            self.note(name, "not-signalled", f"{number.name} refused: the process belongs to another user")

    def _terminate(self, name: str, process: Process) -> None:
        """Send SIGTERM; the first one to a connector in a moment when its publisher waits, or soon after."""
        unit = self.graph.units[name]
        stopping = unit.stopping
        first = stopping is not None and stopping.begun is not None and unit.lived
        if first and self.graph.used(name).kind is Kind.CONNECTOR and process not in self._told:
            self._told.add(process)
            self._when_quiet(name, process, None, self.now() + _QUIET_WITHIN)
        elif process not in self._hushed:
            self._signal(name, process, signal.SIGTERM)

    def _when_quiet(self, name: str, process: Process, lull: Lull | None, until: float) -> None:
        now = self.now()
        if process not in self._processes.values():
            self._hushed.discard(process)
            return
        if lull is None and not self._is_untidied(name, process, now):
            lull = Lull(process.id.pid, now)
        if now >= until or (lull is not None and lull.is_now(now)):
            self._hushed.discard(process)
            process.signal(signal.SIGTERM)
            return
        self._hushed.add(process)
        self._loop.call_later(_QUIET_EVERY, self._when_quiet, name, process, lull, until)

    def _is_untidied(self, name: str, process: Process, now: float) -> bool:
        """Tell whether the connector still has to take down the connection of a bot that has just left."""
        spec = self.graph.used(name)
        if spec.channel is None or now - self._left.get(name, -_TIDIED_WITHIN) >= _TIDIED_WITHIN:
            return False
        try:
            return has_connections_of_the_dead(watch.location(spec), process.id.pid)
        except OSError:
            return False

    # Processes

    def _spawn(self, name: str, spec: UnitSpec) -> None:
        try:
            gated = self._start(name, spec)
        except SpawnError as error:
            self._inbox.append((name, SpawnFailed(str(error), refused=isinstance(error, _ForeignChannelError))))
            return
        process = gated.process
        self._processes[name] = process
        self._keep_records()
        try:
            processes.apply_resources(process.id.pid, spec.resources, self._nofile)
        except SpawnError as error:
            gated.abandon()
            del self._processes[name]
            self._inbox.append((name, SpawnFailed(str(error), refused=True)))
            return
        self._loop.add_reader(process.pidfd, self._ended, name, process)
        gated.open()
        self.note(name, "start")
        self._observe(name, spec, process)

    def _repair(self, name: str, spec: UnitSpec) -> None:
        """Clear the channel of a connector whose starts fail again and again, when nobody can be using it."""
        if spec.channel is None or self.graph.units[name].retries < _REPAIR_AT:
            return
        try:
            removed = repair(watch.location(spec), spec.channel.name)
        except OSError as error:
            self.note(name, "not-repaired", f"cannot look at the channel's remains: {error.strerror}")
            return
        if removed:
            self.note(name, "repaired", f"removed remains that no process used: {', '.join(map(str, removed))}")

    def _start(self, name: str, spec: UnitSpec) -> processes.Gated:
        self._repair(name, spec)
        holder = watch.holder(spec)
        if holder is not None:
            raise _ForeignChannelError(
                f"channel {name} is held by pid {holder} ({processes.command_line(holder) or 'command not readable'})"
            )
        try:
            log = str(self._logs.new(name))
        except OSError as error:
            self.note(name, "no-log", f"cannot write {self.home.logs}: {error.strerror}; its output is lost")
            log = os.devnull
        command = Command(
            argv=spec.argv,
            cwd=spec.cwd,
            env=dict(spec.env),
            marker=f"{self.prefix}{name}/{self._digest(spec)}-{secrets.token_hex(4)}",
            log=log,
            timer_slack=spec.resources.timer_slack,
            own_user_namespace=spec.kind is Kind.CONNECTOR and not self._softens and self._has_namespaces(),
        )
        return processes.spawn(command)

    def _has_namespaces(self) -> bool:
        if self._namespaces is None:
            self._namespaces = processes.user_namespaces_work()
        return self._namespaces

    def _observe(self, name: str, spec: UnitSpec, process: Process) -> None:
        match spec.kind:
            case Kind.CONNECTOR:
                self.watch.track(name, spec, process.id.pid)
                self._inbox.append((name, Observed(Level.STARTED)))
            case Kind.SERVICE if spec.ready is not None:
                self._inbox.append((name, Observed(Level.STARTED)))
                self._checks[name] = self._loop.create_task(self._ready(name, spec, process))
            case Kind.BOT if spec.attaches:
                self._inbox.append((name, Observed(Level.STARTED)))
                for connector in spec.attaches:
                    self.watch.hurry(connector)
            case _:
                self._inbox.append((name, Observed(Level.READY)))

    async def _ready(self, name: str, spec: UnitSpec, process: Process) -> None:
        try:
            await until_ready(spec, process.log or os.devnull, self._spared)
        except Exception as error:  # noqa: BLE001 - a check that cannot be made is told, not lost
            self.note(name, "unexpected", f"ready check: {type(error).__name__}: {error}")
            return
        if self._processes.get(name) is process:
            self.feed(name, Observed(Level.READY))

    def _ended(self, name: str, process: Process) -> None:
        self._loop.remove_reader(process.pidfd)
        reaped, code = process.reap()
        if not reaped:
            self._loop.call_later(_REAP_AGAIN, self._ended, name, process)
            return
        process.close()
        heirs = self._heirs(process)
        if heirs and self._inherit(name, process, heirs, code):
            return
        self._gone(name, process, self._codes.pop(name, code))

    def _heirs(self, process: Process) -> list[ProcessId]:
        """Return what the unit started that outlives its main process: orphans that were handed to us."""
        mains = {other.id.pid for other in self._processes.values()} | self._spared
        try:
            pids = processes.children() if process.child else list(processes.members(process.marker))
        except OSError:
            return []  # could not look; the sweep looks again
        pids = [pid for pid in pids if pid not in mains]
        return [heir for heir in processes.present(pids) if processes.is_member(heir.pid, process)]

    def _inherit(self, name: str, process: Process, heirs: list[ProcessId], code: int | None) -> bool:
        """Let a unit live on in what it started, told to end: it is not gone before the last of it is.

        A stop's own SIGKILL falls on it when the grace runs out; after an exit by itself it gets the grace from now.
        """
        heir = None
        for who in heirs:
            heir = heir or Process.adopt(who, marker=process.marker, log=process.log)
        if heir is None:
            return False
        heir.session = process.session
        unit = self.graph.units[name]
        killed = unit.stopping is not None and unit.stopping.killed
        if name not in self._codes:
            text = f"its main process ended, {ending(code)}; {len(heirs)} that it started live on"
            self.note(name, "members", text)
            if unit.stopping is None:
                self._loop.call_later(self.graph.used(name).grace, self._cut_short, name)
        if name not in self._codes or killed:
            processes.signal_all(heirs, signal.SIGKILL if killed else signal.SIGTERM)
        self._codes[name] = -signal.SIGKILL if killed else self._codes.get(name, code)
        self._processes[name] = heir
        self._keep_records()
        self._loop.add_reader(heir.pidfd, self._ended, name, heir)
        return True

    def _cut_short(self, name: str) -> None:
        process = self._processes.get(name)
        if process is not None and name in self._codes:
            self.note(name, "killed", "what it had started was still alive after the grace")
            process.signal(signal.SIGKILL)

    def _gone(self, name: str, process: Process, code: int | None) -> None:
        check = self._checks.pop(name, None)
        if check is not None:
            check.cancel()
        self.watch.forget(name)
        self.watch.forget_bot(process.id.pid)
        for connector in self.graph.used(name).attaches:
            self._left[connector] = self.now()
        self._told.discard(process)
        del self._processes[name]
        self.feed(name, Exited(code))
        self._loop.call_later(_RECORD_AFTER, self._keep_records)
        self._later(self._sweep(process))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._sweeps.add(task)
        task.add_done_callback(self._sweeps.discard)

    async def _sweep(self, process: Process) -> None:
        """End what a unit's process left behind unseen, by the marker's token or by its session.

        It looks at every process, so it waits until a restart is through.
        """
        await asyncio.sleep(_SWEEP_AFTER)
        token = process.marker.rpartition("/")[0]
        left = set(await asyncio.to_thread(processes.members, token))
        left |= set(await asyncio.to_thread(processes.session_members, process.session))
        left -= set(self.pids().values())
        if left:
            self.note(None, "members", f"{len(left)} processes left behind by pid {process.id.pid} are ended")
            await self.clear(left)

    def _reap_orphans(self) -> None:
        known = {process.id.pid for process in self._processes.values()} | self._spared
        for pid in processes.children():
            if pid not in known and processes.identity(pid) is None:
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)

    # Disk

    def _digest(self, spec: UnitSpec) -> str:
        cached = self._digests.get(spec.name)
        if cached is None or cached[0] is not spec:
            cached = self._digests[spec.name] = (spec, digest(spec))
        return cached[1]

    def _keep_records(self) -> None:
        units = {name: _record(self.graph.used(name), process) for name, process in self._processes.items()}
        try:
            records.replace_file(self.home.units, codec.encode(Units(self._boot, units)), durable=False)
        except OSError as error:
            self.note(None, "record", f"cannot write {self.home.units}: {error.strerror}; the markers are the record")

    def _keep_intents(self) -> None:
        wanted = {name: _intent(unit.wanted, unit.state, unit.why) for name, unit in self.graph.units.items()}
        if wanted == self._intents.units:
            return
        self._intents = Intents(wanted)
        try:
            records.replace_file(self.home.intent, codec.encode(self._intents), durable=True)
        except OSError as error:
            self.note(None, "record", f"cannot write {self.home.intent}: {error.strerror}")

    def _log_of(self, name: str) -> str | None:
        process = self._processes.get(name)
        if process is not None and process.log not in {None, "", os.devnull}:
            return process.log
        return self._logs.latest(name)


class _ForeignChannelError(SpawnError):
    """Raised when somebody else's living process holds the channel."""


def _intent(wanted: bool, state: State, why: str | None) -> UnitIntent:  # noqa: FBT001 - three values of one unit
    if state is State.FAILED:
        return UnitIntent(Intent.FAILED, why)
    if state is State.FINISHED:
        return UnitIntent(Intent.FINISHED)
    return UnitIntent(Intent.UP if wanted else Intent.STOPPED)


def _record(spec: UnitSpec, process: Process) -> UnitRecord:
    return UnitRecord(
        pid=process.id.pid,
        start=process.id.start,
        marker=process.marker,
        log=process.log or "",
        kind=spec.kind,
        grace=spec.grace,
        depends_on=tuple(edge.unit for edge in spec.depends_on),
    )
