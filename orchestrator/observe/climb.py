"""How an `up` reads while it goes on: a line for each unit that got there, and what the others wait for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from orchestrator.observe.status import seconds
from orchestrator.observe.table import duration

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from orchestrator.deployment.model import UnitSpec

_TOLD: Final = frozenset(
    {"restart", "backoff", "overdue", "failed", "refused", "broken", "killed", "recycle", "repaired"}
)


@dataclass(slots=True)
class _Unit:
    spec: UnitSpec
    begun: float | None = None
    level: str | None = None
    up: bool = False
    climbed: bool = False
    retries: list[str] = field(default_factory=list)


class Climb:
    """Turns the supervisor's events into lines; says nothing itself."""

    def __init__(self, specs: Iterable[UnitSpec], up: Collection[str] = ()) -> None:
        """Begin with the units that are told of, and the names of those that are up already."""
        self._units = {spec.name: _Unit(spec, up=spec.name in up) for spec in specs}
        self._width = max(map(len, self._units), default=0)

    @property
    def climbed(self) -> tuple[str, ...]:
        """The units that came up since the beginning, each once."""
        return tuple(name for name, unit in self._units.items() if unit.climbed)

    def hear(self, event: dict[str, Any]) -> tuple[str | None, str | None]:
        """Take an event; returns (a result line, a remark), each None when there is nothing to say."""
        unit = self._units.get(event["unit"] or "")
        if unit is None:
            return None, None
        what, text, name = event["what"], event["text"], event["unit"]
        if what == "start":
            unit.begun, unit.up = seconds(event["at"]), False
        elif what == "level":
            unit.level = text
        elif what == "retry":
            unit.retries.append(text)
        elif what == "exit":
            unit.up = False
        elif what == "up":
            unit.up = unit.climbed = True
            return self._line(unit, seconds(event["at"])), None
        if what in _TOLD:
            return None, f"{name.ljust(self._width)}  {what}{': ' if text else ''}{text}"
        return None, None

    def _line(self, unit: _Unit, at: float) -> str:
        took = "" if unit.begun is None else duration(max(0.0, at - unit.begun))
        remarks = []
        if unit.retries:
            count = len(unit.retries)
            remarks.append(f"{count} {'retry' if count == 1 else 'retries'} ({unit.retries[-1]})")
            unit.retries.clear()
        if unit.spec.depends_on:
            remarks.append(f"on {', '.join(edge.unit for edge in unit.spec.depends_on)}")
        level = unit.level or unit.spec.target.value
        head = f"{unit.spec.name.ljust(self._width)}  {level.ljust(9)}  {took.ljust(7)}"
        return f"{head}  {', '.join(remarks)}".rstrip()

    def waiting(self) -> str:
        """Return one line on what is not there yet: each unit with the rung or the units that it waits for."""
        parts = []
        for name, unit in self._units.items():
            if unit.up:
                continue
            missing = [edge.unit for edge in unit.spec.depends_on if self._is_missing(edge.unit)]
            if missing:
                parts.append(f"{name} waits for {', '.join(missing)}")
            else:
                again = f" (retry {len(unit.retries)})" if unit.retries else ""
                parts.append(f"{name} → {unit.spec.target.value}{again}")
        return "; ".join(parts)

    def _is_missing(self, name: str) -> bool:
        unit = self._units.get(name)
        return unit is not None and not unit.up
