"""What happens, told: to the journal, and to those who listen."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from orchestrator.supervise.journal import Event
from orchestrator.supervise.report import instant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.supervise.journal import Journal
    from orchestrator.supervise.process import Process


class Announcer:
    """Tells events; whoever hears none of them any more is forgotten."""

    def __init__(
        self, journal: Journal, processes: Mapping[str, Process], listen: Callable[[dict[str, Any]], None]
    ) -> None:
        """`processes` are those of the units that run, by name; `listen` is the first to hear."""
        self.listeners: set[Callable[[dict[str, Any]], None]] = {listen}
        self._journal = journal
        self._processes = processes

    def note(self, unit: str | None, what: str, text: str = "") -> None:
        """Journal an event and tell those who listen."""
        at = time.time_ns()
        process = None if unit is None else self._processes.get(unit)
        pid = None if process is None else process.id.pid
        self._journal.record(Event(at, unit, what, text, pid))
        event = {"at": instant(at / 1e9), "unit": unit, "what": what, "text": text, "pid": pid}
        for listener in list(self.listeners):
            try:
                listener(event)
            except OSError:  # whoever listened has gone
                self.listeners.discard(listener)
