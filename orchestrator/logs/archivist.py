"""The thread that keeps the logs: neither a slow disk nor compressing holds up the loop, and the loop need not wake."""

from __future__ import annotations

import asyncio
import threading
import time
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from orchestrator.deployment.homes import SUPERVISOR
from orchestrator.logs.keeper import LATEST, LogKeeper

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from orchestrator.deployment.model import Logs
    from orchestrator.logs.keeper import Writer

_SOON: Final = 0.1
_ENDS_WITHIN: Final = 5.0


class Archivist:
    """Looks after the logs of a stack's units from `begin` to `end`, and after `own`, the supervisor's.

    `note` is called in the loop.
    """

    def __init__(
        self,
        units: Mapping[str, Writer],
        logs: Path,
        bounds: Callable[[str], Logs],
        note: Callable[[str | None, str, str], None],
        own: Path,
    ) -> None:
        self._keeper = LogKeeper(units, logs, bounds, self._pass_on, own={SUPERVISOR: own})
        self._loop = asyncio.get_running_loop()
        self._note = note
        self._wake = threading.Event()
        self._ended = False
        self._asked: asyncio.TimerHandle | None = None
        self._thread = threading.Thread(target=self._run, name="logs", daemon=True)

    def begin(self) -> None:
        """Look after the logs from now on."""
        self._thread.start()

    def soon(self) -> None:
        """Look sooner than planned: a unit has begun a log or left one, or its bounds are others."""
        if self._asked is None:
            self._asked = self._loop.call_later(_SOON, self._ask)

    def lost(self, unit: str) -> int:
        """Return how many bytes of the unit's output were given up."""
        return self._keeper.lost(unit)

    async def end(self) -> None:
        """Leave the logs alone; a slice that is being archived is finished, or found half done by the next one."""
        self._ended = True
        self._wake.set()
        if self._asked is not None:
            self._asked.cancel()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, _ENDS_WITHIN)
        self._keeper.end()

    def _ask(self) -> None:
        self._asked = None
        self._wake.set()

    def _run(self) -> None:
        while not self._ended:
            self._wake.clear()
            try:
                due = self._keeper.look(time.monotonic(), time.time())
            except Exception as error:  # noqa: BLE001 - the next look may succeed
                traceback.print_exc()
                self._pass_on(None, "unexpected", f"logs: {type(error).__name__}: {error}")
                due = LATEST
            self._wake.wait(due)

    def _pass_on(self, unit: str | None, what: str, text: str) -> None:
        with suppress(RuntimeError):  # the loop has been closed
            self._loop.call_soon_threadsafe(self._note, None if unit == SUPERVISOR else unit, what, text)
