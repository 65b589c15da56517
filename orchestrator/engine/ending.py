"""Ending a stack's processes without a supervisor: the last resort of a halt, by records and markers alone.

It needs nothing that could be damaged: with no record it goes by the markers, and what is not known of a unit is
supposed for the worst. Dependents come first; connectors get the recipe of design section 6, bots one SIGTERM.
"""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from orchestrator.channel.departure import TIDIED_WITHIN
from orchestrator.deployment.model import Kind
from orchestrator.errors import HftstackError
from orchestrator.supervise import process as processes
from orchestrator.supervise import records
from orchestrator.supervise.adopt import marked
from orchestrator.supervise.lull import LOOK_EVERY, LULL_WITHIN, Lull
from orchestrator.supervise.process import ProcessId
from orchestrator.supervise.unit import LOST_AFTER, SHORTEST_GRACE, TERM_EVERY, ending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from orchestrator.deployment.homes import StackHome
    from orchestrator.deployment.model import Deployment, Hook

_LOOK: Final = 0.01
_MEMBERS_GRACE: Final = 1.0
_UNKNOWN_GRACE: Final = 60.0


@dataclass(frozen=True, slots=True)
class _Unit:
    """A process that is a unit. `kind` is None when nothing on disk says what it is."""

    name: str
    id: ProcessId
    kind: Kind | None
    grace: float
    depends_on: tuple[str, ...]


def end(home: StackHome, why: str, *, hurry: bool, told: Callable[[str], None]) -> dict[str, Any]:
    """End every process of a stack. Returns what `down` does: `stopped`, `units`, `leftovers`.

    Args:
        home: the stack's home.
        why: what the hooks are told.
        hurry: do not wait for bots.
        told: takes what needs a word.
    """
    deployment = _deployment(home)
    units = _units(home, deployment)
    unclean: dict[str, str] = {}
    left = dict(units)
    while left:
        wave = _without_dependents(left)
        unclean |= _end_wave(wave, hurry=hurry, told=told)
        left = {name: unit for name, unit in left.items() if unit not in wave}
    _clear(processes.members(home.marker))
    _run_hooks(deployment, why, told)
    lost = [unit for unit in units.values() if _lives(unit.id)]
    leftovers = dict.fromkeys([*processes.members(home.marker), *(unit.id.pid for unit in lost)])
    return {
        "stopped": list(units),
        "units": [
            {
                "name": unit.name,
                "kind": unit.kind.value if unit.kind else None,
                "external": False,
                "exit": None,
                "unclean": unclean.get(unit.name),
                "state": "lost" if unit in lost else "stopped",
                "why": "alive after SIGKILL" if unit in lost else None,
            }
            for unit in units.values()
        ],
        "leftovers": {str(pid): processes.command_line(pid) for pid in leftovers},
    }


def _deployment(home: StackHome) -> Deployment | None:
    with suppress(HftstackError):
        return records.read_deployment(home.deployment)
    return None


def _units(home: StackHome, deployment: Deployment | None) -> dict[str, _Unit]:
    specs = {} if deployment is None else {spec.name: spec for spec in deployment.units}
    found = {}
    for name, record in records.read_units(home.units, processes.boot_id()).units.items():
        who = ProcessId(record.pid, record.start)
        if not record.external and _lives(who):
            found[name] = _Unit(name, who, record.kind, record.grace, record.depends_on)
    for name, (pid, _) in marked(home.marker).items():
        for who in processes.present([pid]) if name not in found else ():
            spec = specs.get(name)
            if spec is None:
                found[name] = _Unit(name, who, None, _UNKNOWN_GRACE, ())
            else:
                needs = tuple(edge.unit for edge in spec.depends_on)
                found[name] = _Unit(name, who, spec.kind, spec.grace, needs)
    return found


def _without_dependents(units: Mapping[str, _Unit]) -> list[_Unit]:
    """Return the units that no other one hangs on; what is not known goes with the bots, and a cycle as a whole."""
    needed = {need for unit in units.values() for need in unit.depends_on}
    if any(unit.kind in {Kind.BOT, None} for unit in units.values()):
        needed |= {name for name, unit in units.items() if unit.kind not in {Kind.BOT, None}}
    return [unit for name, unit in units.items() if name not in needed] or list(units.values())


def _end_wave(wave: Iterable[_Unit], *, hurry: bool, told: Callable[[str], None]) -> dict[str, str]:
    """End units together. Returns what was unclean, by unit."""
    left = dict.fromkeys(wave, 0.0)
    unclean: dict[str, str] = {}
    begun = time.monotonic()
    killed: dict[_Unit, float] = {}
    lulls: dict[_Unit, Lull] = {}
    for unit in left:
        if unit.kind in {Kind.CONNECTOR, None}:
            processes.soften(unit.id.pid)
        if unit.kind is Kind.CONNECTOR:
            left[unit] = begun + TIDIED_WITHIN  # the bots have just left: it takes down their connections
    while left:
        now = time.monotonic()
        for unit in list(left):
            if not _lives(unit.id) or now >= killed.get(unit, now) + LOST_AFTER:
                del left[unit]
                continue
            grace = SHORTEST_GRACE if hurry and unit.kind is not Kind.CONNECTOR else max(unit.grace, SHORTEST_GRACE)
            if now >= begun + grace and unit not in killed:
                killed[unit] = now
                processes.signal_all([unit.id], signal.SIGKILL)
                if not hurry:
                    unclean[unit.name] = f"ended by SIGKILL after its grace of {grace:g} s"
                    told(f"{unit.name}: killed: still alive after its grace of {grace:g} s")
            elif unit not in killed and now >= left[unit]:
                repeated = unit.kind is Kind.CONNECTOR
                if repeated and not _hears(unit, lulls, begun, now):
                    continue
                left[unit] = now + TERM_EVERY if repeated else float("inf")
                processes.signal_all([unit.id], signal.SIGTERM)
        time.sleep(LOOK_EVERY)
    return unclean


def _hears(unit: _Unit, lulls: dict[_Unit, Lull], begun: float, now: float) -> bool:
    """Tell whether this is a moment in which a connector hears a SIGTERM, or one was waited for long enough."""
    if now >= begun + TIDIED_WITHIN + LULL_WITHIN:
        return True
    if unit not in lulls:
        lulls[unit] = Lull(unit.id.pid, now)
        return False
    return lulls[unit].is_now(now)


def _clear(pids: Iterable[int]) -> None:
    """End what units left behind: SIGTERM, and SIGKILL a second later."""
    remaining = processes.present(pids)
    processes.signal_all(remaining, signal.SIGTERM)
    until = time.monotonic() + _MEMBERS_GRACE
    while remaining and time.monotonic() < until:
        time.sleep(_LOOK)
        remaining = [who for who in remaining if _lives(who)]
    processes.signal_all(remaining, signal.SIGKILL)
    until = time.monotonic() + LOST_AFTER
    while any(map(_lives, remaining)) and time.monotonic() < until:
        time.sleep(_LOOK)


def _run_hooks(deployment: Deployment | None, why: str, told: Callable[[str], None]) -> None:
    """Run `on_halt` of every unit that has one, side by side, each within its timeout."""
    running = []
    for spec in () if deployment is None else deployment.units:
        hook = spec.hooks.on_halt
        if hook is None or deployment is None:
            continue
        told_of = {"unit": spec.name, "what": "stopped", "text": why, "alarm": "halt", "kind": spec.kind.value}
        message = json.dumps({**told_of, "stack": deployment.stack, "file": deployment.file, "state": "stopped"})
        thread = threading.Thread(target=_run_hook, args=(spec.name, hook, message, told), daemon=True)
        thread.start()
        running.append(thread)
    for thread in running:
        thread.join()


def _run_hook(name: str, hook: Hook, message: str, told: Callable[[str], None]) -> None:
    try:
        done = subprocess.run(
            hook.argv,
            cwd=hook.cwd,
            env=dict(hook.env),
            input=f"{message}\n",
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=hook.timeout,
            start_new_session=True,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        told(f"{name}: hook: {hook.argv[0]}: {error}")
    else:
        if done.returncode != 0:
            told(f"{name}: hook: {hook.argv[0]}: {ending(done.returncode)}")


def _lives(who: ProcessId) -> bool:
    return processes.present([who.pid]) == [who]
