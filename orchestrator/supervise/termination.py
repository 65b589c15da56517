"""SIGTERM, sent when it is heard: the first one to a connector waits for a quiet moment."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from orchestrator.channel.departure import TIDIED_WITHIN, has_connections_of_the_dead
from orchestrator.supervise import watch
from orchestrator.supervise.lull import LOOK_EVERY, LULL_WITHIN, Lull

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.deployment.model import UnitSpec
    from orchestrator.supervise.process import Process


class Termination:
    """Ends the units' processes, which `processes` holds by name, as long as they are there."""

    def __init__(self, processes: Mapping[str, Process]) -> None:
        self._loop = asyncio.get_running_loop()
        self._processes = processes
        self._left: dict[str, float] = {}
        self._told: set[Process] = set()
        self._hushed: set[Process] = set()

    def left(self, connectors: Iterable[str]) -> None:
        """Know that a bot on these connectors has just ended."""
        for connector in connectors:
            self._left[connector] = self._loop.time()

    def forget(self, process: Process) -> None:
        """Know that a process has ended."""
        self._told.discard(process)

    def terminate(self, process: Process) -> bool:
        """Send SIGTERM, unless the first one is still to come; tells whether we may."""
        return process in self._hushed or process.signal(signal.SIGTERM)

    def terminate_connector(self, process: Process, spec: UnitSpec) -> bool:
        """Send SIGTERM, the first one in a moment when the publisher waits, or soon after; tells whether we may."""
        if process in self._told:
            return self.terminate(process)
        self._told.add(process)
        self._when_quiet(process, spec, None, self._loop.time() + LULL_WITHIN)
        return True

    def _when_quiet(self, process: Process, spec: UnitSpec, lull: Lull | None, until: float) -> None:
        now = self._loop.time()
        if process not in self._processes.values():
            self._hushed.discard(process)
            return
        if lull is None and not self._is_untidied(process, spec, now):
            lull = Lull(process.id.pid, now)
        if now >= until or (lull is not None and lull.is_now(now)):
            self._hushed.discard(process)
            process.signal(signal.SIGTERM)
            return
        self._hushed.add(process)
        self._loop.call_later(LOOK_EVERY, self._when_quiet, process, spec, lull, until)

    def _is_untidied(self, process: Process, spec: UnitSpec, now: float) -> bool:
        """Tell whether the connector still has to take down the connection of a bot that has just left."""
        if spec.channel is None or now - self._left.get(spec.name, -TIDIED_WITHIN) >= TIDIED_WITHIN:
            return False
        try:
            return has_connections_of_the_dead(watch.location(spec), process.id.pid)
        except OSError:
            return False
