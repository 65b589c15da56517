"""A unit's next process, started ahead and kept behind its closed gate: what a restart has to wait for is done.

It is nobody's yet: not recorded, without a marker, in a session of its own, `spared` by whoever looks at our children.
A supervisor that dies closes the gate, and the standby leaves.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from orchestrator.deployment.model import OnRestart, RestartPolicy
from orchestrator.supervise.process import REAP_AGAIN, SpawnError
from orchestrator.supervise.stopping import After
from orchestrator.supervise.unit import State

if TYPE_CHECKING:
    from orchestrator.deployment.model import UnitSpec
    from orchestrator.supervise.gate import Gated
    from orchestrator.supervise.graph import Graph
    from orchestrator.supervise.starter import Starter

AFTER: Final = 1.0
"""Seconds that a unit must have been up: one that keeps dying has no use for it."""

_APART: Final = 0.02
"""Seconds between two starts: the loop has other things to do when many units came up together."""

_GIVEN_UP: Final = frozenset({State.FAILED, State.STOPPED, State.FINISHED, State.LOST})


class Standbys:
    """The standbys of one stack's units, at most one each. `spared` holds their pids."""

    def __init__(self, starter: Starter, spared: set[int]) -> None:
        self._starter = starter
        self._spared = spared
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[str, tuple[str, Gated]] = {}
        self._tried: dict[str, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def follow(self, graph: Graph) -> None:
        """Let go of those that nobody will need any more, and have those started, in time, that are missing."""
        for name in list(self._waiting):
            if not self._is_next(name, graph):
                self._discard(name)
        self._plan(graph, 0.0)

    def take(self, name: str, spec: UnitSpec) -> Gated | None:
        """Return the process that waits to be started from `spec`, if there is one; it is the caller's now."""
        digest, gated = self._waiting.get(name, ("", None))
        if gated is None or digest != self._starter.digest(spec) or not gated.process.is_alive():
            return None
        del self._waiting[name]
        self._spared.discard(gated.process.id.pid)
        self._loop.remove_reader(gated.process.pidfd)
        return gated

    def end(self) -> None:
        """Let go of all."""
        if self._timer is not None:
            self._timer.cancel()
        for name in list(self._waiting):
            self._discard(name)

    def _is_next(self, name: str, graph: Graph) -> bool:
        unit, spec = graph.units.get(name), graph.specs.get(name)
        if unit is None or spec is None or not unit.wanted or unit.state in _GIVEN_UP:
            return False
        stops = unit.stopping is not None and unit.stopping.after is After.STOPPED
        return not stops and self._waiting[name][0] == self._starter.digest(spec)

    def _plan(self, graph: Graph, earliest: float) -> None:
        due = [unit.since + AFTER for name, unit in graph.units.items() if self._is_missing(name, graph)]
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(max(min(due), earliest), self._start_next, graph) if due else None

    def _is_missing(self, name: str, graph: Graph) -> bool:
        unit, spec = graph.units[name], graph.specs.get(name)
        if unit.state is not State.UP or name in self._waiting or self._tried.get(name) == unit.born:
            return False
        return spec is not None and restarts(spec)

    def _start_next(self, graph: Graph) -> None:
        now = self._loop.time()
        for name, unit in graph.units.items():
            if self._is_missing(name, graph) and unit.since + AFTER <= now:
                self._tried[name] = unit.born
                self._start(name, graph.specs[name])
                break
        self._plan(graph, now + _APART)

    def _start(self, name: str, spec: UnitSpec) -> None:
        try:
            gated = self._starter.prepare(name, spec)
        except SpawnError:
            return  # the restart itself will tell
        self._waiting[name] = self._starter.digest(spec), gated
        self._spared.add(gated.process.id.pid)
        self._loop.add_reader(gated.process.pidfd, self._ended, name, gated)

    def _discard(self, name: str) -> None:
        self._waiting.pop(name)[1].abandon()

    def _ended(self, name: str, gated: Gated) -> None:
        process = gated.process
        self._loop.remove_reader(process.pidfd)
        if self._waiting.get(name, ("", None))[1] is gated:
            self._discard(name)
        reaped, _ = process.reap()
        if not reaped:
            self._loop.call_later(REAP_AGAIN, self._ended, name, gated)
            return
        process.close()
        self._spared.discard(process.id.pid)


def restarts(spec: UnitSpec) -> bool:
    """Tell whether the unit starts again without being asked to: after its own end, or after a dependency's."""
    if spec.external:
        return False
    propagated = any(edge.on_restart is OnRestart.RESTART for edge in spec.depends_on)
    return propagated or spec.restart.policy is not RestartPolicy.NEVER
