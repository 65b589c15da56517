"""What happens, told: to the journal, and to those who listen."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from orchestrator.supervise.event import Event
from orchestrator.supervise.gaps import Channels
from orchestrator.supervise.report import instant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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
        self._held: list[Event] | None = None
        self._channels = Channels()

    def note(self, unit: str | None, what: str, text: str = "", data: dict[str, Any] | None = None) -> None:
        """Journal an event and tell those who listen, now or at the end of `held`; only the journal keeps `data`."""
        process = None if unit is None else self._processes.get(unit)
        event = Event(time.time_ns(), unit, what, text, None if process is None else process.id.pid, data)
        if self._held is None:
            self._tell(event)
        else:
            self._held.append(event)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep events back while what matters is being done: who is told wants the interpreter too."""
        self._held = []
        try:
            yield
        finally:
            held, self._held = self._held, None
            for event in held:
                self._tell(event)

    def _tell(self, event: Event) -> None:
        self._journal.record(event)
        told = {
            "at": instant(event.at / 1e9),
            "unit": event.unit,
            "what": event.what,
            "text": event.text,
            "pid": event.pid,
        }
        for listener in list(self.listeners):
            try:
                listener(told)
            except OSError:  # whoever listened has gone
                self.listeners.discard(listener)
        for gap in self._channels.hear(event):
            if not gap.planned:
                self.note(gap.unit, "gap", str(gap))
