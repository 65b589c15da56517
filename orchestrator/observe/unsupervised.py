"""The status of a stack that no supervisor speaks for, from what is on disk and in /proc."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.deployment.model import Level
from orchestrator.logs import archives
from orchestrator.supervise import halt, records
from orchestrator.supervise.adopt import marked
from orchestrator.supervise.process import ProcessId, boot_id, identity, members
from orchestrator.supervise.records import Intent

if TYPE_CHECKING:
    from orchestrator.deployment.homes import StackHome


def status(home: StackHome) -> dict[str, Any]:
    """Return the object of `status --format json`, supervised false. Raises RefusedError for damaged records."""
    deployment = records.read_deployment(home.deployment)
    intents = records.read_intents(home.intent).units
    alive = living(home)
    units = []
    for spec in () if deployment is None else deployment.units:
        intent = intents.get(spec.name)
        pid = alive.get(spec.name)
        state = "up" if pid is not None else "stopped"
        if pid is None and intent is not None and intent.intent in {Intent.FAILED, Intent.FINISHED}:
            state = intent.intent.value
        units.append(
            {
                "name": spec.name,
                "kind": spec.kind.value,
                "state": state,
                "level": None if pid is None else Level.STARTED.value,
                "pid": pid,
                "since": None,
                "restarts": None,
                "exit": None,
                "proven": None,
                "channel": None,
                "wanted": intent is not None and intent.intent is Intent.UP,
                "target": spec.target.value,
                "reached": False,
                "why": None if intent is None else intent.why,
                "external": spec.external,
                "waits_for": [],
                "depends_on": [edge.unit for edge in spec.depends_on],
                "unclean": None,
                "log": _last_log(home, spec.name),
                "log_lost": _lost(home, spec.name),
                "policy": spec.restart.policy.value,
                "next_start": None,
            }
        )
    return {
        "stack": home.name,
        "file": None if deployment is None else deployment.file,
        "network": None if deployment is None else deployment.network,
        "supervised": False,
        "supervisor": None,
        "halted": halt.describe(halt.latched(home)),
        "units": units,
    }


def living(home: StackHome) -> dict[str, int]:
    """Return the pid of each unit that runs: by its record, else by the marker in its environment."""
    known = records.read_units(home.units, boot_id()).units
    recorded = {
        name: record.pid
        for name, record in known.items()
        if identity(record.pid) == ProcessId(record.pid, record.start)
    }
    return {unit: pid for unit, (pid, _) in marked(home.marker).items()} | recorded


def _last_log(home: StackHome, unit: str) -> str | None:
    logs = sorted((home.logs / unit).glob("*.log"))
    return str(logs[-1]) if logs else None


def _lost(home: StackHome, unit: str) -> int:
    try:
        return archives.lost_in(home.logs / unit)
    except OSError:
        return 0


def remains(home: StackHome) -> bool:
    """Tell whether anything of the stack still runs: a recorded process, or one with the stack's marker."""
    return bool(living(home) or members(home.marker))
