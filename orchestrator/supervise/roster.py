"""The processes of the units that run: recorded before their program begins, kept until the last of them has ended."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Final

from orchestrator.supervise import process as processes
from orchestrator.supervise.family import children
from orchestrator.supervise.process import REAP_AGAIN, Process
from orchestrator.supervise.unit import ending

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

    from orchestrator.supervise.graph import Graph
    from orchestrator.supervise.ledger import Ledger
    from orchestrator.supervise.process import ProcessId

_RECORD_AFTER: Final = 0.1


class Roster:
    """Holds a process for each unit that runs, and tells `gone` when it and its heirs have ended.

    `units` is the processes by unit, shared with whoever looks; `external` those that are recorded beside them, for
    they are not ours; `spared` are the pids of other children of ours.
    `release` is told the pid of each that was the guardian's child, once its end has been acted upon.
    """

    def __init__(
        self,
        units: dict[str, Process],
        external: Mapping[str, Process],
        spared: AbstractSet[int],
        *,
        graph: Callable[[], Graph],
        ledger: Ledger,
        note: Callable[[str | None, str, str], None],
        gone: Callable[[str, Process, int | None], None],
        release: Callable[[int], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._units = units
        self._external = external
        self._spared = spared
        self._graph = graph
        self._ledger = ledger
        self._note = note
        self._gone = gone
        self._release = release
        self._codes: dict[str, int | None] = {}
        self._graces: dict[str, asyncio.TimerHandle] = {}
        self._keeping: asyncio.TimerHandle | None = None

    def keep_soon(self) -> None:
        """Write the records when much else that is to be written has happened too."""
        if self._keeping is None:
            self._keeping = self._loop.call_later(_RECORD_AFTER, self.keep)

    def keep(self) -> None:
        """Write the records."""
        if self._keeping is not None:
            self._keeping.cancel()
            self._keeping = None
        self._ledger.keep_units(self._graph(), {**self._units, **self._external})

    def watch(self, name: str, process: Process) -> None:
        """Hold a unit's process, and hear of its end."""
        self._units[name] = process
        self._loop.add_reader(process.pidfd, self._ended, name, process)

    def _ended(self, name: str, process: Process) -> None:
        self._loop.remove_reader(process.pidfd)
        reaped, code = process.reap()
        if not reaped:
            self._loop.call_later(REAP_AGAIN, self._ended, name, process)
            return
        process.close()
        heirs = self._heirs(process)
        if not heirs or not self._inherit(name, process, heirs, code):
            del self._units[name]
            grace = self._graces.pop(name, None)
            if grace is not None:
                grace.cancel()
            self._gone(name, process, self._codes.pop(name, code))
        if not process.child:
            self._release(process.id.pid)
        if name not in self._units:
            self.keep_soon()

    def _heirs(self, process: Process) -> list[ProcessId]:
        """Return what the unit started that outlives its main process: orphans that were handed to us."""
        mains = {other.id.pid for other in self._units.values()} | self._spared
        try:
            pids = children() if process.child else list(processes.members(process.marker))
        except OSError:
            return []  # could not look; the sweep looks again
        pids = [pid for pid in pids if pid not in mains]
        return [heir for heir in processes.present(pids) if processes.is_member(heir.pid, process)]

    def _inherit(self, name: str, process: Process, heirs: list[ProcessId], code: int | None) -> bool:
        """Let a unit live on in what it started, told to end: it is not gone before the last of it is.

        A stop's own SIGKILL falls on it when the grace runs out; after an exit by itself it gets the grace from now,
        and what else of it turns up when that is over is killed at once.
        """
        heir = None
        for who in heirs:
            heir = heir or Process.adopt(who, marker=process.marker, log=process.log)
        if heir is None:
            return False
        heir.session = process.session
        graph = self._graph()
        stopping = graph.units[name].stopping
        killed = stopping is not None and stopping.killed
        if name not in self._codes:
            text = f"its main process ended, {ending(code)}; {len(heirs)} that it started live on"
            self._note(name, "members", text)
            if stopping is None:
                self._graces[name] = self._loop.call_later(graph.used(name).grace, self._cut_short, name)
        overdue = name in self._graces and self._graces[name].when() <= self._loop.time()
        if name not in self._codes or killed or overdue:
            processes.signal_all(heirs, signal.SIGKILL if killed or overdue else signal.SIGTERM)
        self._codes[name] = -signal.SIGKILL if killed else self._codes.get(name, code)
        self.watch(name, heir)
        self.keep()
        return True

    def _cut_short(self, name: str) -> None:
        process = self._units[name]
        self._note(name, "killed", "what it had started was still alive after the grace")
        processes.signal_all([process.id, *self._heirs(process)], signal.SIGKILL)
