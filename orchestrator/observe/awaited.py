"""How far units are from what somebody waits for, from the object of `status`. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from orchestrator.deployment.model import Kind, Level, reaches

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Awaited(StrEnum):
    """What can be waited for: a rung of readiness, or that nothing runs."""

    STARTED = "started"
    LIVE = "live"
    CONNECTED = "connected"
    FRESH = "fresh"
    READY = "ready"
    STOPPED = "stopped"


OF_CONNECTORS: Final = frozenset({Awaited.LIVE, Awaited.CONNECTED, Awaited.FRESH})
"""The rungs that only connectors have."""

_ENDED: Final = frozenset({"stopped", "failed", "finished"})


@dataclass(frozen=True, slots=True)
class Progress:
    """Names of units: those that are there, those that are not, and of these the ones that will not get there.

    `units` are the objects of `status` of all of them, in the deployment's order.
    """

    reached: tuple[str, ...]
    missing: tuple[str, ...]
    hopeless: tuple[str, ...]
    units: tuple[dict[str, Any], ...]

    @property
    def is_over(self) -> bool:
        """Whether waiting on changes nothing."""
        return not self.missing or bool(self.hopeless)


def progress(units: Sequence[dict[str, Any]], names: Sequence[str], awaited: Awaited) -> Progress:
    """Return how far the units called `names` are.

    Without names all that are wanted, for `stopped` all there are, for a rung of connectors all wanted connectors. A
    bot that has finished counts as started and ready. What has failed for good, is kept down by the operator, is gone
    from the stack, or waits for such a unit will not get there by itself.
    """
    known = {unit["name"]: unit for unit in units}
    chosen = names or tuple(name for name, unit in known.items() if _is_meant(unit, awaited))
    reached, missing, hopeless = [], [], []
    for name in chosen:
        unit = known.get(name)
        if unit is not None and is_there(unit, awaited):
            reached.append(name)
            continue
        missing.append(name)
        if awaited is not Awaited.STOPPED and (unit is None or _is_ended(unit, known)):
            hopeless.append(name)
    return Progress(
        tuple(reached), tuple(missing), tuple(hopeless), tuple(unit for unit in units if unit["name"] in chosen)
    )


def _is_meant(unit: Mapping[str, Any], awaited: Awaited) -> bool:
    if awaited is Awaited.STOPPED:
        return True
    return bool(unit["wanted"]) and (awaited not in OF_CONNECTORS or unit["kind"] == Kind.CONNECTOR)


def is_there(unit: Mapping[str, Any], awaited: Awaited) -> bool:
    """Tell whether a unit is where somebody waits for it to be."""
    match awaited:
        case Awaited.STOPPED:
            return unit["pid"] is None and unit["state"] in _ENDED
        case Awaited.READY:
            return bool(unit["wanted"] and unit["reached"])
        case Awaited.STARTED if unit["state"] == "finished":
            return True
        case _:
            level = None if unit["level"] is None or unit["state"] == "stopping" else Level(unit["level"])
            return reaches(level, Level(awaited.value))


def _is_ended(unit: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> bool:
    """Tell whether a unit stays down, or waits for one that does."""
    seen: set[str] = set()
    queue = [unit]
    while queue:
        held = queue.pop()
        if held["state"] in _ENDED:
            return True
        for name in held["waits_for"]:
            if name not in seen and name in known:
                seen.add(name)
                queue.append(known[name])
    return False


def rows(progress: Progress) -> list[tuple[str, ...]]:
    """Return a row for each unit that is not there: its name, state, level, and why."""
    found = {unit["name"]: unit for unit in progress.units}
    return [
        (name, "gone", "-", "it is not in the stack any more")
        if name not in found
        else (name, found[name]["state"], found[name]["level"] or "-", _why(found[name]))
        for name in progress.missing
    ]


def _why(unit: Mapping[str, Any]) -> str:
    if unit["waits_for"]:
        return f"waits for {', '.join(unit['waits_for'])}"
    if unit["why"]:
        return str(unit["why"])
    channel = unit["channel"]
    if channel is not None and unit["state"] == "up":
        return "messages do not move" if channel["bots"] else "no bot is attached, so no message moves"
    return f"restarts: {unit['restarts']}" if unit["restarts"] else ""
