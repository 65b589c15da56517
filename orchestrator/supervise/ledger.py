"""What the supervisor writes down before it acts: the deployment, the intents, the processes that are ours."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator import files
from orchestrator.deployment import codec
from orchestrator.errors import HftstackError, RefusedError
from orchestrator.supervise import records
from orchestrator.supervise.records import Intent, Intents, Spent, UnitIntent, UnitRecord, Units
from orchestrator.supervise.unit import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.deployment.homes import StackHome
    from orchestrator.deployment.model import Deployment, UnitSpec
    from orchestrator.supervise.graph import Graph
    from orchestrator.supervise.process import Process
    from orchestrator.supervise.records import Before
    from orchestrator.supervise.unit import Unit


class Ledger:
    """Keeps the files of one stack. `note` hears of what could not be written."""

    def __init__(self, home: StackHome, boot: str, note: Callable[[str | None, str, str], None]) -> None:
        self._home = home
        self._boot = boot
        self._note = note
        self._intents = Intents()
        self._aside: dict[str, UnitIntent] | None = None
        self._unwritten: Intents | None = None
        self._kept: dict[str, object] = {}
        self._texts: dict[str, tuple[UnitRecord, str]] = {}

    def read(self) -> tuple[Deployment | None, Intents, Units]:
        """Return what the last supervisor wrote down. Raises RefusedError for what cannot be read."""
        deployment = records.read_deployment(self._home.deployment)
        self._intents = records.read_intents(self._home.intent)
        self._aside = self._intents.aside
        intents = replace(self._intents, units={**self._intents.units, **(self._aside or {})})
        return deployment, intents, records.read_units(self._home.units, self._boot)

    def keep_deployment(self, deployment: Deployment) -> None:
        """Write what is to be brought in. Raises RefusedError."""
        try:
            files.replace_file(self._home.deployment, records.seal(deployment), durable=True)
        except OSError as error:
            raise RefusedError(
                f"cannot record the deployment: {error.strerror}", where=str(self._home.deployment)
            ) from None

    def read_before(self) -> Before | None:
        """Return what a change that nobody finished began from. What cannot be read is told and left alone."""
        try:
            return records.read_before(self._home.before)
        except HftstackError as error:
            text = f"{self._home.before}: {error.message}; the change that was under way is not taken back"
            self._note(None, "record", text)
            return None

    def keep_before(self, before: Before | None) -> None:
        """Write what may be brought back; None when nothing may any more. Raises RefusedError when it cannot."""
        path = self._home.before
        if before is None:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                self._note(None, "record", f"cannot remove {path}: {error.strerror}")
            return
        try:
            files.replace_file(path, records.seal(before), durable=True)
        except OSError as error:
            raise RefusedError(f"cannot record what runs: {error.strerror}", where=str(path)) from None

    def set_aside(self, graph: Graph) -> None:
        """Remember, now that the whole stack is to go down, which units were down before: a boot leaves them so."""
        if self._aside is None:
            intents = {name: _intent(unit) for name, unit in graph.units.items()}
            self._aside = {name: found for name, found in intents.items() if found.intent is not Intent.UP}

    def keep_intents(self, graph: Graph) -> None:
        """Write what is to become of each unit, unless that is what was written last. Told once when it cannot."""
        units = {name: _intent(unit) for name, unit in graph.units.items()}
        if self._aside is not None and any(found.intent is Intent.UP for found in units.values()):
            self._aside = None
        intents = Intents(units, self._aside)
        if intents == self._intents:
            return
        try:
            files.replace_file(self._home.intent, records.seal(intents), durable=True)
        except OSError as error:
            if intents != self._unwritten:
                self._note(None, "record", f"cannot write {self._home.intent}: {error.strerror}")
            self._unwritten = intents
        else:
            self._intents, self._unwritten = intents, None

    def keep_units(self, graph: Graph, processes: Mapping[str, Process]) -> None:
        """Write which processes are ours, how often each unit was restarted, and what it has spent of its budgets."""
        self._kept = _followed(graph)
        units = {name: _record(graph.used(name), graph.units[name], process) for name, process in processes.items()}
        try:
            files.overwrite_file(self._home.units, self._encoded(units, graph))
        except OSError as error:
            text = f"cannot write {self._home.units}: {error.strerror}; the markers are the record"
            self._note(None, "record", text)

    def is_behind(self, graph: Graph) -> bool:
        """Tell whether a count or a stop has changed since the processes were written."""
        return _followed(graph) != self._kept

    def _encoded(self, units: Mapping[str, UnitRecord], graph: Graph) -> str:
        """Return what codec makes of all records; only those that have changed are encoded again."""
        for name, record in units.items():
            if self._texts.get(name, (None, ""))[0] != record:
                self._texts[name] = record, f"{json.dumps(name)}:{codec.encode(record)}"
        text = ",".join(self._texts[name][1] for name in sorted(units))
        counted = Units(
            self._boot,
            restarts={name: unit.restarts for name, unit in graph.units.items() if unit.restarts},
            spent={name: Spent(unit.failures, unit.window) for name, unit in graph.units.items() if _has_spent(unit)},
        )
        return codec.encode(counted).replace('"units":{}', f'"units":{{{text}}}')


def _followed(graph: Graph) -> dict[str, object]:
    """Return what of the units is written as soon as it has changed, beside their processes."""
    return {
        name: (
            unit.restarts,
            unit.failures,
            unit.window,
            unit.stopping and (unit.stopping.after, unit.stopping.kill_at),
        )
        for name, unit in graph.units.items()
        if unit.restarts or _has_spent(unit) or unit.stopping is not None
    }


def _has_spent(unit: Unit) -> bool:
    return unit.failures > 0 or bool(unit.window)


def _intent(unit: Unit) -> UnitIntent:
    if unit.state is State.FAILED:
        return UnitIntent(Intent.FAILED, unit.why)
    if unit.state is State.FINISHED:
        return UnitIntent(Intent.FINISHED)
    return UnitIntent(Intent.UP if unit.wanted else Intent.STOPPED)


def _record(spec: UnitSpec, unit: Unit, process: Process) -> UnitRecord:
    return UnitRecord(
        pid=process.id.pid,
        start=process.id.start,
        marker=process.marker,
        log=process.log or "",
        kind=spec.kind,
        grace=spec.grace,
        depends_on=tuple(edge.unit for edge in spec.depends_on),
        external=spec.external,
        told=process.told,
        begun=process.begun,
        stopping=unit.stopping,
    )
