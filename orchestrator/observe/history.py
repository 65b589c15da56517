"""What people did to a stack, how long it took and which unit the others waited for, from the journal."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from orchestrator.observe.events import damaged, instant
from orchestrator.observe.table import duration, render
from orchestrator.supervise import journal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from orchestrator.supervise.event import Event

_STARTS: Final = "up"
_ORDER: Final = "order"
_DONE: Final = frozenset({_STARTS, "stop", "halt", "resume", _ORDER})
_ENDED_BY: Final = {_STARTS: "settled", "stop": "down", "halt": "down", _ORDER: "done"}
_NAMES: Final = {"stop": "down"}
_HEAD: Final = ("AT", "WHAT", "BY", "COMMIT", "PLAN", "TOOK", "WAITED FOR")
_SHORT: Final = 8

Edges = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Step:
    """A unit on the critical path, and how many seconds the rest had to wait for it."""

    unit: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that somebody did. `at` is nanoseconds since the epoch, `seconds` None when its end is not known.

    `path` is what the others waited for, in its order. `blocked` is what an `up` did not bring there. `units` are those
    that were named, none for the whole stack.
    """

    at: int
    what: str
    user: str | None
    commit: str | None = None
    dirty: bool | None = None
    plan: str | None = None
    reason: str | None = None
    seconds: float | None = None
    blocked: str | None = None
    path: tuple[Step, ...] = ()
    units: tuple[str, ...] = ()


def read(path: Path, since: int = 0) -> list[Deed]:
    """Return the deeds of a journal from `since` on, in nanoseconds since the epoch. Raises RefusedError."""
    try:
        found = deeds(journal.read(path))
    except sqlite3.Error as error:
        raise damaged(path, error) from None
    return [deed for deed in found if deed.at >= since]


def deeds(events: Iterable[Event]) -> list[Deed]:
    """Return what was done, oldest first; who halts from outside is journaled late, so events are sorted by time."""
    ordered = sorted(events, key=lambda event: event.at)
    edges: Edges = {}
    found = []
    for place, event in enumerate(ordered):
        if event.unit is not None or event.what not in _DONE:
            continue
        data = event.data or {}
        if event.what == _STARTS and isinstance(data.get("edges"), dict):
            edges = data["edges"]
        found.append(_deed(event, data, _until_over(ordered, place), edges))
    return found


def _until_over(events: Sequence[Event], place: int) -> list[Event]:
    """Return what belongs to a deed: up to the event that ends it, or else up to the next deed."""
    end = _ENDED_BY.get(events[place].what)
    found = []
    for event in islice(events, place + 1, None if end else place + 1):
        if event.unit is None and event.what in _DONE:
            break
        found.append(event)
        if event.unit is None and event.what == end:
            break
    return found


def _deed(event: Event, data: Mapping[str, Any], following: list[Event], edges: Edges) -> Deed:
    last = following[-1] if following else None
    end = last if last is not None and last.unit is None and last.what == _ENDED_BY.get(event.what) else None
    path: tuple[Step, ...] = ()
    named = data.get("units") if event.what == _ORDER else data.get("only")
    if end is None:
        pass
    elif event.what == _STARTS or (event.what == _ORDER and data.get("verb") != "stop"):
        path = _path(event.at, _instants(following, "up"), edges)
    else:
        path = _path(event.at, _instants(following, "exit"), _turned(edges))
    return Deed(
        event.at,
        str(data.get("verb")) if event.what == _ORDER else _NAMES.get(event.what, event.what),
        data.get("user"),
        data.get("commit"),
        data.get("dirty"),
        data.get("plan"),
        data.get("reason"),
        None if end is None else (end.at - event.at) / 1e9,
        end.text.removeprefix("not reached: ") or None if end is not None and end.what == "settled" else None,
        path,
        tuple(map(str, named)) if isinstance(named, list) else (),
    )


def _instants(events: Iterable[Event], what: str) -> dict[str, int]:
    """Return when this last happened to each unit."""
    return {event.unit: event.at for event in events if event.unit is not None and event.what == what}


def _path(begun: int, instants: Mapping[str, int], edges: Mapping[str, Sequence[str]]) -> tuple[Step, ...]:
    """Return the critical path to the unit that got there last, backwards over those for which each one waited."""
    steps: list[Step] = []
    left = dict(instants)
    name = max(left, key=left.__getitem__, default=None)
    while name is not None:
        at = left.pop(name)
        before = [other for other in edges.get(name, ()) if left.get(other, at + 1) <= at]
        waited = max(before, key=left.__getitem__, default=None)
        steps.append(Step(name, (at - (begun if waited is None else left[waited])) / 1e9))
        name = waited
    return tuple(reversed(steps))


def _turned(edges: Edges) -> Edges:
    """Return who hangs on each unit: what its stop waits for."""
    found: Edges = {}
    for name, needs in edges.items():
        for need in needs:
            found.setdefault(need, []).append(name)
    return found


def as_json(deed: Deed) -> dict[str, Any]:
    """Return a deed as `history --format json` has it: `at` in RFC 3339, UTC; null what is not known."""
    return {
        "at": instant(deed.at),
        "what": deed.what,
        "units": list(deed.units),
        "user": deed.user,
        "commit": deed.commit,
        "dirty": deed.dirty,
        "plan": deed.plan,
        "reason": deed.reason,
        "seconds": deed.seconds,
        "blocked": deed.blocked.split(", ") if deed.blocked else [],
        "path": [{"unit": step.unit, "seconds": step.seconds} for step in deed.path],
    }


def lines(found: Sequence[Deed], form: str, width: int | None) -> Iterator[str]:
    """Yield deeds as text, or as json, an object a line; `width` in columns, None for any."""
    if form == "json":
        yield from (json.dumps(as_json(deed)) for deed in found)
    else:
        yield from render([_HEAD, *map(_row, found)], width, expendable=(4, 3))


def _row(deed: Deed) -> tuple[str, ...]:
    commit = "-" if deed.commit is None else deed.commit[:_SHORT] + ("+" if deed.dirty else "")
    plan = "-" if deed.plan is None else deed.plan[:_SHORT]
    took = "-" if deed.seconds is None else duration(deed.seconds)
    what = f"{deed.what} {', '.join(deed.units)}" if deed.units else deed.what
    remarks = [
        *([" > ".join(f"{step.unit} {duration(step.seconds)}" for step in deed.path)] if deed.path else []),
        *([f"not reached: {deed.blocked}"] if deed.blocked else []),
        *([deed.reason] if deed.reason else []),
    ]
    return instant(deed.at), what, deed.user or "-", commit, plan, took, "; ".join(remarks)
