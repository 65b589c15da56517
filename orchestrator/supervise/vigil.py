"""Since when nobody supervises a stack: the record of its processes bears the time of the last sign of life."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from orchestrator.supervise.records import Intent
from orchestrator.supervise.report import instant

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from orchestrator.supervise.records import Intents

_EVERY: Final = 5.0


class Vigil:
    """Marks a file in memory every few seconds. `last` is the last mark of whoever supervised before, None without."""

    def __init__(self, file: Path, look: Callable[[], None] = lambda: None) -> None:
        """`file` is what is marked; `look` is called as often."""
        self._file = file
        self._look = look
        self._timer: asyncio.TimerHandle | None = None
        self.last: float | None = None
        with suppress(OSError):
            self.last = file.stat().st_mtime

    def gap(self, intents: Intents) -> str | None:
        """Return how long units that were wanted had nobody who heals them, for people; None when none was wanted."""
        if not any(unit.intent is Intent.UP for unit in intents.units.values()):
            return None
        if self.last is None:
            return "nobody supervised it, for how long is not known"
        lasted = max(0.0, time.time() - self.last)
        return f"nobody supervised it for {lasted:.1f} s, since {instant(self.last)} or up to {_EVERY:g} s later"

    def keep(self) -> None:
        """Mark now and from now on."""
        self._mark()
        self._timer = asyncio.get_running_loop().call_later(_EVERY, self.keep)
        self._look()

    def end(self) -> None:
        """Mark for the last time."""
        if self._timer is not None:
            self._timer.cancel()
            self._mark()

    def _mark(self) -> None:
        with suppress(OSError):
            os.utime(self._file)
