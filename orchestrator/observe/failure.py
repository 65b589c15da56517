"""Why a unit is not where it should be: the rung that was missed, its end, its last words, what to try."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.observe import logs
from orchestrator.observe.advice import advise
from orchestrator.observe.hiding import of_unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.deployment.model import UnitSpec

_LAST_LINES: Final = 10


def explain(
    unit: dict[str, Any], spec: UnitSpec, words: Sequence[str], *, stack: str, room: int | None = None
) -> list[str]:
    """Return lines on a unit, an object of `status`; `words` are the last lines that it wrote.

    `room` is how many bytes are free in /dev/shm, None when nobody looked.
    """
    rows = [("state", _state(unit))]
    if unit["waits_for"]:
        rows.append(("waits", f"for {', '.join(unit['waits_for'])}"))
    if unit["why"]:
        rows.append(("why", unit["why"]))
    rows += [("wrote" if place == 0 else "", f"| {line}") for place, line in enumerate(words)]
    advice = advise(unit, spec, words, room=room)
    if advice:
        rows.append(("try", advice))
    if words:
        rows.append(("more", f"hftstack logs -s {stack} {unit['name']}"))
    elif unit["log"] is not None:
        rows.append(("wrote", "nothing"))
    return [f"{unit['name']}: {unit['target']} not reached", *(f"    {head:<5}  {text}" for head, text in rows)]


def explanations(
    result: Mapping[str, Any], specs: Mapping[str, UnitSpec], stack: str
) -> tuple[list[list[str]], list[str]]:
    """Return the lines on each unit to blame for the result of an `up`, and the names of those that only wait.

    Those that were still on their way when the time ran out are to blame for nothing: they are `result["coming"]`.
    """
    units = {unit["name"]: unit for unit in result["units"]}
    over = [name for name in result["blocked"] if name not in coming(result)]
    blamed = [name for name in over if units[name]["state"] != "waiting"] or over
    told = []
    for name in blamed:
        unit = units[name]
        hide = of_unit(specs[name]).hide
        words = logs.last_words(Path(unit["log"]), _LAST_LINES, hide=hide) if unit["log"] else []
        told.append(explain(unit, specs[name], words, stack=stack, room=_room()))
    return told, [name for name in over if name not in blamed]


def coming(result: Mapping[str, Any]) -> list[str]:
    """Return the units that were on their way when the time ran out; earlier supervisors tell of none."""
    names: list[str] = result.get("coming", [])
    return names


def _room() -> int | None:
    import shutil  # noqa: PLC0415 - for what did not come up only

    try:
        return shutil.disk_usage("/dev/shm").free  # noqa: S108 - where iceoryx2 puts its segments
    except OSError:
        return None


def _state(unit: dict[str, Any]) -> str:
    parts = [unit["state"]]
    if unit["level"] is not None:
        parts.append(f"got as far as {unit['level']}")
    if unit["pid"] is not None:
        parts.append(f"pid {unit['pid']} runs on")
    elif unit["exit"] is not None:
        parts.append(ending(unit["exit"]))
    if unit["restarts"]:
        parts.append(f"{unit['restarts']} restart{'s' if unit['restarts'] != 1 else ''}")
    return ", ".join(parts)


def ending(code: int) -> str:
    """Return how a process ended: exit 3, SIGKILL."""
    if code >= 0:
        return f"exit {code}"
    import signal  # noqa: PLC0415 - for what a signal ended only

    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"ended by signal {-code}"
