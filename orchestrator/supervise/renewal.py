"""Restarts for age: clocks read, and units fed, for `age`.

A restart for age is the operator's wish, not a failure: it spends none of the limit and is not counted among the
unit's restarts. Its bots follow it with their full grace, and are counted as in any propagation.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from orchestrator.supervise.age import Member, turn
from orchestrator.supervise.process import began
from orchestrator.supervise.unit import Recycle, State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.supervise.graph import Graph
    from orchestrator.supervise.process import Process
    from orchestrator.supervise.unit import Event


class Renewal:
    """Asks, when one may have come of age, whose turn it is. `processes` are those of the units that run."""

    def __init__(
        self,
        graph: Callable[[], Graph],
        processes: Mapping[str, Process],
        *,
        feed: Callable[[str, Event], None],
        note: Callable[[str | None, str, str], None],
    ) -> None:
        self._graph = graph
        self._processes = processes
        self._feed = feed
        self._note = note
        self._held: frozenset[tuple[str, str]] = frozenset()
        self._timer: asyncio.TimerHandle | None = None

    def ask(self) -> None:
        """Recycle whose turn it is, and come back when it may be another one's."""
        self.close()
        found = turn(self._members(), time.time())
        if found.again is not None:
            self._timer = asyncio.get_running_loop().call_later(found.again, self.ask)
        for name, other in found.held:
            if (name, other) not in self._held:
                self._note(name, "held", f"{self._reason(name)}; not restarted for it while {other} is not up")
        self._held = frozenset(found.held)
        for name in found.due:
            self._feed(name, Recycle(self._reason(name), counted=False))

    def close(self) -> None:
        """Ask no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _reason(self, name: str) -> str:
        restart = self._graph().specs[name].restart
        if restart.window is not None:
            return f"older than its max_age of {restart.max_age:g} s before its next window"
        return f"older than its max_age of {restart.max_age:g} s"

    def _members(self) -> list[Member]:
        graph = self._graph()
        since_boot = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        members = []
        for name, spec in graph.specs.items():
            unit, process = graph.units[name], self._processes.get(name)
            if unit.wanted and not spec.external:
                age = None if process is None else (since_boot - began(process.id, process.marker)) / 1e9
                members.append(Member(name, spec.type or name, spec.restart, age, up=unit.state is State.UP))
        return members
