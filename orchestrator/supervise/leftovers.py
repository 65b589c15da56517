"""What units leave behind: workers that outlive them, seen by marker, by session, or handed to us as orphans."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from orchestrator.supervise import process as processes
from orchestrator.supervise.family import children

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from orchestrator.supervise.process import Process

_MEMBERS_GRACE: Final = 1.0
_SWEEP_AFTER: Final = 0.5


class Leftovers:
    """Finds and ends them.

    `units` are the processes of the units that run, `spared` the pids of other children of ours, `prefix` begins the
    marker of every unit.
    """

    def __init__(
        self,
        units: Mapping[str, Process],
        spared: AbstractSet[int],
        prefix: str,
        note: Callable[[str | None, str, str], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._units = units
        self._spared = spared
        self._prefix = prefix
        self._note = note
        self.guardian: int | None = None
        self._sweeps: set[asyncio.Task[None]] = set()

    def sweep(self, process: Process) -> None:
        """End soon what a unit's process left behind unseen."""
        self._later(self._sweep(process))

    def end_strays(self) -> None:
        """End what units left behind that ended while nobody supervised them."""
        mains = {process.marker for process in self._units.values()}
        strays = [pid for pid, marker in processes.members(self._prefix).items() if marker not in mains]
        if strays:
            self._note(None, "members", f"{len(strays)} processes of units that are gone are ended")
            self._later(self.clear(strays))

    def find(self) -> dict[int, str]:
        """Return pid -> command of what still carries a marker of this stack, or is an orphan handed to us.

        Orphans of a unit that an earlier supervisor started are handed to the guardian.
        """
        mains = self._mains()
        found = [pid for pid in processes.members(self._prefix) if pid not in mains]
        handed = [*children(), *(children(self.guardian) if self.guardian is not None else [])]
        found += [pid for pid in handed if pid not in mains and pid not in self._spared and pid != os.getpid()]
        return {pid: processes.command_line(pid) for pid in found if processes.identity(pid) is not None}

    async def clear(self, pids: Iterable[int]) -> None:
        """End processes: SIGTERM, and SIGKILL a second later."""
        remaining = processes.present(pids)
        processes.signal_all(remaining, signal.SIGTERM)
        until = self._loop.time() + _MEMBERS_GRACE
        while remaining and self._loop.time() < until:
            await asyncio.sleep(0.01)
            remaining = [process for process in remaining if process in processes.present([process.pid])]
        processes.signal_all(remaining, signal.SIGKILL)

    def reap(self) -> None:
        """Reap orphans that have ended."""
        known = self._mains() | self._spared
        for pid in children():
            if pid not in known and processes.identity(pid) is None:
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)

    async def swept(self) -> None:
        """Return when what is being ended has ended."""
        while self._sweeps:
            await asyncio.wait(self._sweeps)

    def forget(self) -> None:
        """Sweep no more."""
        for sweep in self._sweeps:
            sweep.cancel()

    def _mains(self) -> set[int]:
        return {process.id.pid for process in self._units.values()}

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._sweeps.add(task)
        task.add_done_callback(self._sweeps.discard)

    async def _sweep(self, process: Process) -> None:
        """End what carries the marker's token or is in the session.

        It looks at every process, so it waits until a restart is through.
        """
        await asyncio.sleep(_SWEEP_AFTER)
        token = process.marker.rpartition("/")[0]
        left = set(await asyncio.to_thread(processes.members, token))
        left |= set(await asyncio.to_thread(processes.session_members, process.session))
        left -= self._mains()
        if left:
            self._note(None, "members", f"{len(left)} processes left behind by pid {process.id.pid} are ended")
            await self.clear(left)
