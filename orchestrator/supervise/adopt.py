"""Which processes are ours already: by the record of this boot, else by the marker in their environment."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.deployment import codec
from orchestrator.deployment.model import Dependency, File, Health, Hooks, Kind, Level, Restart, UnitSpec
from orchestrator.supervise.gate import UNOPENED
from orchestrator.supervise.graph import Graph
from orchestrator.supervise.process import Process, ProcessId, began, identity, members, zombie_code
from orchestrator.supervise.records import Intent
from orchestrator.supervise.stopping import After, Stopping
from orchestrator.supervise.unit import State, Unit, resumed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from orchestrator.deployment.model import Deployment
    from orchestrator.supervise.records import Intents, UnitRecord, Units


_UNKNOWN_GRACE: Final = 60.0
"""Seconds for a unit of which nothing is known: it may be a bot that flattens."""

_TOLD: Final = "told to end by an earlier supervisor"

_LATER: Final = (
    ("given",),
    ("logs",),
    ("health", "first_message"),
    ("health", "min_rate"),
    ("health", "on_stale"),
    ("health", "quiet"),
    ("restart", "on_limit"),
)
"""Fields that a running process takes up, and that markers of an earlier version know nothing of."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """What a new supervisor begins with.

    `processes` are ours, `external` those of external connectors. `ended` are units, alive in the graph, whose process
    has ended: that is news, with its exit code where the guardian kept the zombie.
    """

    graph: Graph
    processes: dict[str, Process]
    external: dict[str, Process] = field(default_factory=dict)
    ended: dict[str, Ended] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that ended while nobody supervised it. `code` is negative for a signal, None when it is hidden."""

    id: ProcessId
    code: int | None
    marker: str


def digest(spec: UnitSpec) -> str:
    """Return sixteen hexadecimal digits that differ when only a new process could take up the difference."""
    started = replace(
        spec,
        target=Level.STARTED,
        depends_on=(),
        streams=(),
        attaches=(),
        ready=None,
        health=Health(),
        restart=Restart(),
        grace=0.0,
        hooks=Hooks(),
    )
    plain = codec.plain(started)
    for *tables, name in _LATER:
        del reduce(getitem, tables, plain)[name]
    if not spec.code:
        del plain["code"]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def adopt(
    deployment: Deployment | None,
    intents: Intents,
    recorded: Units,
    prefix: str,
    now: float,
    *,
    hold: bool,
    find: Callable[[UnitSpec], Process | str | None],
) -> Adoption:
    """Find the units' running processes and derive the graph from them.

    `prefix` begins the markers of this stack. `hold`: what is wanted but not running stays down until told otherwise.
    `find` returns the process that holds the channel of an external connector. With the deployment lost, what runs is
    left running. Raises OSError when we could not look: absence is not known.
    """
    specs = {} if deployment is None else {spec.name: spec for spec in deployment.units}
    records = recorded.units
    ours = {name: record for name, record in records.items() if not record.external}
    processes = _survivors(ours, prefix)
    ended = _ended({name: record for name, record in ours.items() if name not in processes and _wanted(name, intents)})
    strangers = [spec for spec in specs.values() if spec.external and _wanted(spec.name, intents)]
    external = _external([spec for spec in strangers if spec.name not in processes | ended], records, find)
    places = {name: place for place, name in enumerate(specs)}
    begun = {name: began(process.id, process.marker) for name, process in (processes | external | ended).items()}
    since_boot = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    ages = {name: max(0.0, (since_boot - instant) / 1e9) for name, instant in begun.items()}
    order = sorted(begun, key=lambda name: (begun[name], places.get(name, len(places))))
    born = {name: place for place, name in enumerate(order, 1)}
    units: dict[str, Unit] = {}
    for name, spec in specs.items():
        process = processes.get(name) or external.get(name) or (None if hold else ended.get(name))
        if process is None:
            ran = name in records and records[name].begun
            units[name] = _absent(name, intents, now, ran=ran, hold=hold)
            continue
        same = name in external or is_started_from(process.marker, spec)
        running = spec if same else replace(spec, argv=(), external=False)
        units[name] = _present(running, born[name], now, ages[name], wanted=_wanted(name, intents))
    for name in processes:
        if name not in specs:
            unknown = _remembered(name, records.get(name))
            units[name] = _present(unknown, born[name], now, ages[name], wanted=deployment is None)
            if deployment is None:
                specs[name] = unknown
    for name, count in recorded.restarts.items():
        if name in units:
            units[name] = replace(units[name], restarts=units[name].restarts + count)
    for name, spent in recorded.spent.items():
        if name in units:
            window = tuple(at for at in spent.window if at <= now)
            units[name] = replace(units[name], failures=spent.failures, window=window)
    for name, process in (processes | ended).items():
        record = ours.get(name)
        if name in units and units[name].alive and record is not None and process.id == _who(record):
            units[name] = _as_it_was(units[name], record, now)
    ended = {name: end for name, end in ended.items() if name in units}
    return Adoption(Graph(specs, units, len(born)), processes, external, ended)


def marked(prefix: str) -> dict[str, tuple[int, str]]:
    """Return unit -> (pid, marker) of the processes that are units by their marker, not merely members of one."""
    found = {}
    for pid, marker in members(prefix).items():
        unit, _, rest = marker.removeprefix(prefix).partition("/")
        if rest.rpartition("/")[2] == str(pid):
            found[unit] = pid, marker
    return found


def _log_of(pid: int) -> str | None:
    """Return the log that a process of ours writes to, None when it writes to none, or has turned elsewhere."""
    try:
        target = str(Path(f"/proc/{pid}/fd/1").readlink())
    except OSError:
        return None
    return target if target.endswith(".log") else None


def _survivors(records: Mapping[str, UnitRecord], prefix: str) -> dict[str, Process]:
    found: dict[str, Process] = {}
    for name, record in records.items():
        process = Process.adopt(_who(record), marker=record.marker, log=record.log)
        if process is not None:
            process.told = record.told
            found[name] = process
    for unit, (pid, marker) in marked(prefix).items():
        if unit in found:
            continue
        process_id = identity(pid)
        process = None if process_id is None else Process.adopt(process_id, marker=marker, log=_log_of(pid))
        if process is not None:
            found[unit] = process
    return found


def _external(
    specs: Iterable[UnitSpec],
    records: Mapping[str, UnitRecord],
    find: Callable[[UnitSpec], Process | str | None],
) -> dict[str, Process]:
    """Return the processes that were recorded, or else hold the channels: bots are attached to no others."""
    found = {}
    for spec in specs:
        record = records.get(spec.name)
        if record is not None:
            process: Process | str | None = Process.adopt(_who(record), marker="", log=None)
        else:
            process = find(spec)
        if isinstance(process, Process):
            found[spec.name] = process
    return found


def _ended(records: Mapping[str, UnitRecord]) -> dict[str, Ended]:
    """Return the ends that are news: each is as any other, for the unit's restart policy and what hangs on it."""
    found = {}
    for name, record in records.items():
        who = _who(record)
        code = zombie_code(who)
        never_ran = not record.begun and code in {None, UNOPENED}
        if not never_ran:
            found[name] = Ended(who, code, record.marker)
    return found


def is_started_from(marker: str, spec: UnitSpec) -> bool:
    """Tell whether a process was started from `spec`: its marker's token begins with the digest.

    One of an earlier version, which did not look at code, may have been.
    """
    found = marker.rsplit("/", 2)[1].partition("-")[0]
    return found == digest(spec) or found == digest(replace(spec, code=None))


def _wanted(name: str, intents: Intents) -> bool:
    intent = intents.units.get(name)
    return intent is None or intent.intent is Intent.UP


def _absent(name: str, intents: Intents, now: float, *, ran: bool, hold: bool) -> Unit:
    intent = intents.units.get(name)
    if intent is not None and intent.intent is Intent.FAILED:
        return Unit(State.FAILED, since=now, wanted=True, why=intent.why)
    if intent is not None and intent.intent is Intent.FINISHED:
        return Unit(State.FINISHED, since=now, wanted=True)
    if hold or not _wanted(name, intents):
        return Unit(State.STOPPED, since=now)
    why = "ended while nobody supervised it" if ran else None
    return Unit(State.WAITING, since=now, wanted=True, why=why, restarts=int(ran))


def _present(running: UnitSpec, born: int, now: float, age: float, *, wanted: bool) -> Unit:
    return Unit(
        State.STARTING,
        since=now,
        begun=now - age,
        wanted=wanted,
        alive=True,
        born=born,
        running=running,
        spawned=now - age,
        climb=now,
        deadline=now + running.health.startup,
    )


def _as_it_was(unit: Unit, record: UnitRecord, now: float) -> Unit:
    """Return a unit that an earlier supervisor may have been stopping when it died."""
    stopping = record.stopping
    if stopping is None and record.told:
        stopping = Stopping(After.WAITING, _TOLD, record.grace, begun=now, kill_at=now + record.grace, term_at=now)
    if stopping is not None and not (record.told or stopping.killed):
        stopping = replace(stopping, begun=None)  # the signal may never have been sent: once more is better than never
    return unit if stopping is None else resumed(unit, stopping, now)


def _who(record: UnitRecord) -> ProcessId:
    return ProcessId(record.pid, record.start)


def _remembered(name: str, record: UnitRecord | None) -> UnitSpec:
    """Return what is known of a unit that the stack no longer names: enough to stop it in order."""
    return UnitSpec(
        name=name,
        kind=Kind.SERVICE if record is None else record.kind,
        argv=(),
        executable=File("", ""),
        cwd="/",
        env=(),
        target=Level.STARTED,
        grace=_UNKNOWN_GRACE if record is None else record.grace,
        depends_on=() if record is None else tuple(Dependency(unit) for unit in record.depends_on),
    )
