"""The processes of external connectors: found by the channel that they hold, watched by pidfd, never signalled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from orchestrator.channel.verdict import Verdict
from orchestrator.supervise.process import Process, identity
from orchestrator.supervise.unit import Exited, State, Unseen
from orchestrator.supervise.watch import before_start, holder

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.deployment.model import UnitSpec
    from orchestrator.supervise.graph import Graph
    from orchestrator.supervise.unit import Event

EVERY: Final = 0.25
"""Seconds between two looks for one that has not appeared: a stat of one file as long as there is no channel."""


class Lookout:
    """Looks for those that are waited for. `processes` are those that have been found, shared with whoever looks.

    `appeared` hears of each, `feed` of its end, or of a holder that cannot be watched; `note` of what kept us from
    looking.
    """

    def __init__(
        self,
        processes: dict[str, Process],
        graph: Callable[[], Graph],
        *,
        appeared: Callable[[str], None],
        feed: Callable[[str, Event], None],
        note: Callable[[str | None, str, str], None],
        find: Callable[[UnitSpec], Process | str | None] | None = None,
    ) -> None:
        self._processes = processes
        self._graph = graph
        self._appeared = appeared
        self._feed = feed
        self._note = note
        self._find = find or holding
        self._loop = asyncio.get_running_loop()
        self._sought: frozenset[str] = frozenset()
        self._told: set[tuple[str, str]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def seek(self) -> None:
        """Take up what is waited for by now; look for what is new at once."""
        graph = self._graph()
        before, self._sought = (
            self._sought,
            frozenset(
                name
                for name, spec in graph.specs.items()
                if spec.external and graph.units[name].state is State.WAITING and name not in self._processes
            ),
        )
        if not self._sought:
            self.close()
        elif self._timer is None or self._sought - before:
            self.close()
            self._timer = self._loop.call_later(0.0 if self._sought - before else EVERY, self._look)

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def hold(self, name: str, process: Process) -> None:
        """Watch the process of a unit, and hear of its end."""
        self._processes[name] = process
        self._loop.add_reader(process.pidfd, self._feed, name, Exited(None))

    def let_go(self, name: str) -> None:
        """Watch a unit's process no more."""
        process = self._processes.pop(name, None)
        if process is not None:
            self._loop.remove_reader(process.pidfd)
            process.close()

    def _look(self) -> None:
        self._timer = None
        for name in self._sought:
            try:
                process = self._find(self._graph().specs[name])
            except OSError as error:
                self._tell_once(name, f"cannot look for it: {error.strerror}")
                continue
            if isinstance(process, Process):
                self.hold(name, process)
                self._appeared(name)
            elif process and self._graph().units[name].why != process:
                self._feed(name, Unseen(process))
        self.seek()

    def _tell_once(self, name: str, text: str) -> None:
        if (name, text) not in self._told:
            self._told.add((name, text))
            self._note(name, "blind", text)


def holding(spec: UnitSpec) -> Process | str | None:
    """Return the process that holds a connector's channel; None without one, a reason when it cannot be watched.

    Raises OSError.
    """
    reading = before_start(spec)
    if reading is not None and reading.verdict is Verdict.UNVERIFIED and reading.users:
        users = ", ".join(map(str, reading.users))
        return f"which of the processes on its channel is the connector cannot be told ({users}): {reading.detail}"
    if reading is None or reading.verdict is not Verdict.FOREIGN:
        return None
    pid = reading.owner
    if not pid:
        return "its channel is held by a process in another pid namespace, which cannot be watched"
    who = identity(pid)
    process = None if who is None else Process.adopt(who, marker="", log=None)
    if process is not None and holder(spec) != pid:  # the pid may have been somebody else's by the time of the pidfd
        process.close()
        return None
    return process
