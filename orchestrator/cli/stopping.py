"""Units that are being stopped, as it is watched from the terminal, and how they ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.cli import terminal
from orchestrator.observe.table import render

if TYPE_CHECKING:
    from collections.abc import Mapping

ORDERS: Final = "orders at the exchange were NOT cancelled"
_TOLD: Final = frozenset({"killed", "lost", "not-softened", "members", "hook", "stranger"})


class Watch:
    """Says what needs a word; what is being stopped is drawn over."""

    def __init__(self) -> None:
        self.line = terminal.LiveLine()
        self._stopping: dict[str, None] = {}

    def hear(self, event: dict[str, Any]) -> None:
        """Take an event of the supervisor."""
        name, what = event["unit"] or "stack", event["what"]
        if what in _TOLD:
            self.line.erase()
            terminal.say(f"{name}: {what}: {event['text']}")
        if what == "stopping":
            self._stopping[name] = None
        elif what in {"exit", "stopped", "lost"}:
            self._stopping.pop(name, None)
        self.line.draw(f"stopping {', '.join(self._stopping)}" if self._stopping else "")


def ended(result: Mapping[str, Any]) -> list[str]:
    """Return a line for each unit that was stopped: how it ended."""
    stopped = set(result["stopped"])
    return render([(unit["name"], _end(unit)) for unit in result["units"] if unit["name"] in stopped])


def _end(unit: Mapping[str, Any]) -> str:
    if unit["external"]:
        return "external: it runs on, not watched any more"
    if unit["state"] == "lost":
        return f"lost: pid {unit['pid']} {unit['why'] or 'is left'}"
    return unit["unclean"] or "stopped"
