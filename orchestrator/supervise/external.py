"""A connector that is started by hand, as a pure state machine beside `unit`: watched, never started or stopped.

`waiting` until a process holds its channel, then `starting` and `up` as the rungs are seen, and `waiting` again when
that process or its hold on the channel is gone. Only the operator's stop leads out of this; there is no failure, for
nothing here can be tried again by us. It stands outside the order of starts and stops: its own dependencies hold
nothing up, and nothing waits for its end.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.deployment.model import Level, reaches
from orchestrator.supervise import unit as machine
from orchestrator.supervise.unit import (
    Appeared,
    Broken,
    Exited,
    LetGo,
    Note,
    Observed,
    Recovered,
    Recycle,
    Release,
    Silent,
    Start,
    State,
    Stop,
    Tick,
    Unseen,
)

if TYPE_CHECKING:
    from orchestrator.deployment.model import UnitSpec
    from orchestrator.supervise.unit import Event, Step, Unit


def step(unit: Unit, spec: UnitSpec, event: Event, now: float) -> Step:
    """Return the unit after `event` and what to do about it.

    Release means to wait for it from now on, for as long as its `startup` before somebody is told.
    """
    match event:
        case Start():
            return _start(unit, spec, now)
        case Release():
            return _wait(unit, spec, now)
        case Appeared(born=born):
            return _appeared(unit, spec, born, now)
        case Unseen(reason=reason) if unit.state is State.WAITING and unit.why != reason:
            return replace(unit, why=reason, unseen=True), (Note("blind", reason),)
        case Exited():
            return _lost(unit, now, "it ended", "exit")
        case Broken(reason=reason):
            return _lost(unit, now, reason, "broken")
        case Recycle(reason=reason):
            return _lost(unit, now, reason, "recycle")
        case Stop(reason=reason):
            return _stop(unit, reason, now)
        case Tick() if unit.state in {State.WAITING, State.STARTING}:
            return _ran_out(unit, spec, now)
        case Tick() | Observed() | Silent() | Recovered():
            return machine.step(unit, spec, event, now)
        case _:
            return unit, ()


def _start(unit: Unit, spec: UnitSpec, now: float) -> Step:
    fresh = replace(unit, wanted=True, unclean=None, overdue=False)
    match unit.state:
        case State.STARTING:
            return replace(fresh, climb=now, deadline=now + spec.health.startup), ()
        case State.WAITING:
            return replace(fresh, deadline=None), ()
        case State.UP | State.STALE:
            return fresh, ()
        case _:
            return replace(fresh, state=State.WAITING, since=now, why=None, deadline=None), (Note("wanted"),)


def _wait(unit: Unit, spec: UnitSpec, now: float) -> Step:
    if not is_unawaited(unit):
        return unit, ()
    return replace(unit, climb=now, deadline=now + spec.health.startup), ()


def is_unawaited(unit: Unit) -> bool:
    """Tell whether a unit that should appear has no time set by which it should."""
    return unit.state is State.WAITING and unit.deadline is None and not unit.overdue


def _appeared(unit: Unit, spec: UnitSpec, born: int, now: float) -> Step:
    if unit.state is not State.WAITING or unit.alive:
        return unit, ()
    seen = replace(
        unit,
        state=State.STARTING,
        since=now,
        alive=True,
        born=born,
        running=spec,
        spawned=now,
        climb=now,
        level=None,
        lived=False,
        overdue=False,
        deadline=now + spec.health.startup,
        unseen=False,
        exit=None,
        why=None,
        restarts=unit.restarts + (unit.died is not None),
    )
    return seen, (Note("appeared", "started by somebody else"),)


def _lost(unit: Unit, now: float, reason: str, what: str) -> Step:
    if not unit.alive:
        return unit, ()
    return replace(_let_go(unit, now), state=State.WAITING, why=reason, unseen=False), (Note(what, reason), LetGo())


def _stop(unit: Unit, reason: str, now: float) -> Step:
    unwanted = replace(unit, wanted=False)
    if unit.state is State.STOPPED:
        return unwanted, ()
    ended = replace(_let_go(unwanted, now), state=State.STOPPED, why=None)
    if not unit.alive:
        return ended, (Note("stopped", reason),)
    return ended, (Note("stopped", f"{reason}: not watched any more, it runs on"), LetGo())


def _let_go(unit: Unit, now: float) -> Unit:
    died = now if unit.alive else unit.died
    return replace(
        unit, since=now, alive=False, running=None, level=None, died=died, deadline=None, overdue=False, stopping=None
    )


def _ran_out(unit: Unit, spec: UnitSpec, now: float) -> Step:
    if unit.deadline is None or now < unit.deadline:
        return unit, ()
    if unit.alive:
        rung = spec.target if reaches(unit.level, Level.LIVE) else Level.LIVE
        reason = f"not {rung.value} within {spec.health.startup:g} s"
    elif unit.unseen and unit.why:
        reason = unit.why
    else:
        before = f"{unit.why}; " if unit.died is not None and unit.why else ""
        reason = f"{before}no process holds its channel: start it yourself: {_command(spec)}"
    return replace(unit, overdue=True, deadline=None, why=reason), (Note("overdue", reason),)


def _command(spec: UnitSpec) -> str:
    if spec.type == "sim":
        return f"python -m orchestrator.sim connector {spec.name}"
    return f"connector {spec.name} {spec.type or 'TYPE'} CONFIG"
