"""What an `up` would do to each unit and to trading, from two deployments and what runs. Pure.

The rules are those by which the supervisor acts (`supervise.graph.apply`); a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from orchestrator.deployment.changes import Change, Shown, changes, settings
from orchestrator.deployment.diff import looked_at, needs_restart
from orchestrator.deployment.model import Dependency, Kind, OnRestart

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from orchestrator.deployment.model import Deployment, UnitSpec

FORMAT: Final = 3
"""Version of a plan in JSON; whoever adds a key or a word to it counts up."""

_SIMULATED: Final = "sim"
_KEY: Final = "api_key"
"""The key of a config without which a connector of a known exchange sends no order."""


class Action(StrEnum):
    """What becomes of a unit in the deployment."""

    ADD = "add"
    CHANGE = "change"
    START = "start"
    RESTART = "restart"
    STOP = "stop"
    REMOVE = "remove"
    KEEP = "keep"


class Process(StrEnum):
    """What becomes of its process; an external unit has none of ours."""

    STARTS = "starts"
    RESTARTS = "restarts"
    STOPS = "stops"
    RUNS = "runs on"
    DOWN = "stays down"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Blackout:
    """How long this machine's channel was without fresh data when somebody changed it, in seconds, of `n` times."""

    median: float
    worst: float
    n: int


@dataclass(frozen=True, slots=True)
class Step:
    """One unit.

    `grace` in seconds is what its stop may take, None when nothing is stopped. `dark`: its channel, or one that the bot
    trades on, ends meanwhile. `cancels`: its registration cancels the open orders of each symbol on the exchange.
    """

    unit: str
    kind: Kind
    action: Action
    process: Process
    reason: str = ""
    changes: tuple[Change, ...] = ()
    grace: float | None = None
    dark: bool = False
    cancels: bool = False
    blackout: Blackout | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """All steps, in the order of the new deployment, then what is removed; `settings` is what changes besides them.

    `old` and `new` are digests of the deployments, `old` None when nothing runs. `notes` are for its reader alone.
    `only` are the units that are brought in with what they need, none for all.
    """

    stack: str
    file: str
    network: str
    old: str | None
    new: str
    steps: tuple[Step, ...]
    settings: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    format: int = FORMAT

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing at all would change."""
        return not self.settings and all(step.action is Action.KEEP for step in self.steps)


def plan(
    old: Deployment | None,
    new: Deployment,
    *,
    alive: Collection[str],
    shown: Shown,
    digests: tuple[str | None, str],
    chosen: Collection[str] | None = None,
    only: tuple[str, ...] = (),
    blackouts: Mapping[str, Blackout] | None = None,
    besides: tuple[Change, ...] = (),
    notes: tuple[str, ...] = (),
) -> Plan:
    """Return what bringing `new` in does where `old` is deployed.

    Args:
        old: what is deployed; counts for nothing when nothing is alive.
        new: what is to be.
        alive: the units that have a process.
        shown: how values may be shown.
        digests: of the two deployments, the first None when nothing runs.
        chosen: the units that are started where they are down, None for all.
        only: those of them that were named.
        blackouts: what this machine remembers of each connector.
        besides: what is known to change that no deployment holds.
        notes: what a reader should know besides.
    """
    after = {unit.name: unit for unit in new.units}
    before = {
        unit.name: looked_at(unit, after.get(unit.name, unit))
        for unit in (() if old is None or not alive else old.units)
    }
    fates = _fates(before, after, alive, after.keys() if chosen is None else chosen)
    found = []
    for name in (*after, *(name for name in before if name not in after)):
        action, process, reason = fates[name]
        spec = after.get(name) or before[name]
        ends = process in {Process.RESTARTS, Process.STOPS}
        begins = process in {Process.STARTS, Process.RESTARTS}
        is_connector = spec.kind is Kind.CONNECTOR
        found.append(
            Step(
                name,
                spec.kind,
                action,
                process,
                reason,
                changes(before[name], after[name], shown) if name in before and name in after else (),
                before[name].grace if ends else None,
                dark=(is_connector and ends) or (spec.kind is Kind.BOT and _is_blinded(name, before, fates, alive)),
                cancels=begins and is_connector and _sends_orders(spec, shown),
                blackout=(blackouts or {}).get(name) if is_connector and ends else None,
            )
        )
    old_digest = digests[0] if before else None
    told = (*(settings(old, new, shown) if old is not None and before else ()), *besides)
    return Plan(new.stack, new.file, new.network, old_digest, digests[1], tuple(found), told, notes, only)


_Fate = tuple[Action, Process, str]

_VERBS: Final = {
    Process.STARTS: "starts",
    Process.STOPS: "stops",
    Process.NONE: "changes",
    Process.DOWN: "is down",
}


def _fates(
    before: Mapping[str, UnitSpec], after: Mapping[str, UnitSpec], alive: Collection[str], chosen: Collection[str]
) -> dict[str, _Fate]:
    fates: dict[str, _Fate] = {}
    for name, spec in after.items():
        if name in chosen or name in alive:
            fates[name] = _own_fate(before.get(name), spec, is_alive=name in alive)
        else:
            is_new = bool(before) and name not in before
            process = Process.NONE if spec.external else Process.DOWN
            fates[name] = (Action.ADD if is_new else Action.KEEP, process, "it is not named" if is_new else "")
    for name, spec in before.items():
        if name not in after:
            process = Process.STOPS if name in alive and not spec.external else Process.NONE
            fates[name] = (Action.REMOVE, process, "removed from the stack")
    moved = True
    while moved:
        moved = False
        for name, (action, process, _) in list(fates.items()):
            if process is not Process.RUNS and action is not Action.RESTART:
                continue
            fate = _followed(_edges(before[name], after[name]), before, after, fates, alive)
            if fate is not None and fate[1] is not process:  # a dependency that comes later may stop what one restarts
                fates[name], moved = fate, True
    return fates


def _own_fate(old: UnitSpec | None, new: UnitSpec, *, is_alive: bool) -> _Fate:
    if old is None:
        return Action.ADD, Process.NONE if new.external else Process.STARTS, ""
    fields = needs_restart(old, new)
    reason = f"changed: {', '.join(fields)}" if fields else ""
    action = Action.CHANGE if old != new else Action.KEEP
    if new.external or old.external:
        began = is_alive and not old.external
        process = Process.STOPS if began else Process.NONE if new.external else Process.STARTS
        return action, process, reason
    if not is_alive:
        return Action.CHANGE if action is Action.CHANGE else Action.START, Process.STARTS, reason or "it does not run"
    return action, Process.RESTARTS if fields else Process.RUNS, reason


def _edges(old: UnitSpec, new: UnitSpec) -> tuple[Dependency, ...]:
    """Return what a process that runs on hangs on: what it is to depend on, and what it was started on."""
    named = {edge.unit for edge in new.depends_on}
    return (*new.depends_on, *(edge for edge in old.depends_on if edge.unit not in named))


def _followed(
    edges: Iterable[Dependency],
    before: Mapping[str, UnitSpec],
    after: Mapping[str, UnitSpec],
    fates: Mapping[str, _Fate],
    alive: Collection[str],
) -> _Fate | None:
    """Return what a unit that would run on does because of its dependencies, None when it may."""
    gone = [
        edge
        for edge in edges
        if edge.on_restart is not OnRestart.KEEP and _is_gone(edge.unit, before, after, fates, alive)
    ]
    for edge in gone:
        if edge.on_restart is OnRestart.STOP:
            return Action.STOP, Process.STOPS, f"{edge.unit} {_verb(fates[edge.unit])}"
    if gone:
        return Action.RESTART, Process.RESTARTS, f"{gone[0].unit} {_verb(fates[gone[0].unit])}"
    return None


def _is_gone(
    name: str,
    before: Mapping[str, UnitSpec],
    after: Mapping[str, UnitSpec],
    fates: Mapping[str, _Fate],
    alive: Collection[str],
) -> bool:
    if name not in after:
        return name in alive and name in before and not before[name].external  # that one is not looked at any more
    if name not in alive:
        return True
    if after[name].external:
        return name in before and bool(needs_restart(before[name], after[name]))
    return fates[name][1] is not Process.RUNS


def _verb(fate: _Fate) -> str:
    return _VERBS.get(fate[1], "restarts")


def _is_blinded(name: str, before: Mapping[str, UnitSpec], fates: Mapping[str, _Fate], alive: Collection[str]) -> bool:
    """Tell whether a running bot loses a channel that it is on."""
    if name not in before or name not in alive:
        return False
    return any(
        fates[edge.unit][1] in {Process.RESTARTS, Process.STOPS}
        for edge in before[name].depends_on
        if edge.unit in before and before[edge.unit].kind is Kind.CONNECTOR
    )


def _sends_orders(spec: UnitSpec, shown: Shown) -> bool:
    """Tell whether a connector may have an account; one whose config cannot be read may."""
    if spec.type == _SIMULATED or not spec.files:
        return False
    table = shown.tables.get(spec.files[0].path)
    return table is None or bool(table.get(_KEY))
