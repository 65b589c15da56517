"""Since when nobody supervises a stack: two files bear the time of the last sign of life.

One lies in memory, the record of its processes, and is marked often; one on disk, and says it over a reboot.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from orchestrator.supervise.records import Intent
from orchestrator.supervise.report import instant

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from orchestrator.supervise.records import Intents

_EVERY: Final = 5.0
_LASTING_EVERY: Final = 60.0


class Vigil:
    """Marks its files. `last` is the last mark of whoever supervised before, None without; `slack` is how late it is.

    Both are in seconds, `last` since the epoch.
    """

    def __init__(self, file: Path, lasting: Path, look: Callable[[], None] = lambda: None) -> None:
        """`file` is marked every few seconds, and `look` called as often; `lasting` is marked every minute."""
        self._file = file
        self._lasting = lasting
        self._look = look
        self._timer: asyncio.TimerHandle | None = None
        self._lasted = float("-inf")
        marks = [
            (mark, slack) for path, slack in ((file, _EVERY), (lasting, _LASTING_EVERY)) if (mark := _mark_of(path))
        ]
        self.last: float | None
        self.last, self.slack = max(marks) if marks else (None, 0.0)

    def since(self) -> dict[str, Any]:
        """Return the last sign of life for programs: nanoseconds since the epoch, null when it is not known."""
        return {"since": None if self.last is None else int(self.last * 1e9)}

    def gap(self, intents: Intents) -> str | None:
        """Return how long units that were wanted had nobody who heals them, for people; None when none was wanted."""
        if not any(unit.intent is Intent.UP for unit in intents.units.values()):
            return None
        if self.last is None:
            return "nobody supervised it, for how long is not known"
        lasted = max(0.0, time.time() - self.last)
        return f"nobody supervised it for {lasted:.1f} s, since {instant(self.last)} or up to {self.slack:g} s later"

    def keep(self) -> None:
        """Mark now and from now on."""
        loop = asyncio.get_running_loop()
        self._mark()
        if loop.time() >= self._lasted + _LASTING_EVERY:
            self._lasted = loop.time()
            self._mark_lastingly()
        self._timer = loop.call_later(_EVERY, self.keep)
        self._look()

    def end(self) -> None:
        """Mark for the last time."""
        if self._timer is not None:
            self._timer.cancel()
            self._mark()
            self._mark_lastingly()

    def _mark(self) -> None:
        with suppress(OSError):
            os.utime(self._file)

    def _mark_lastingly(self) -> None:
        with suppress(OSError):
            self._lasting.touch(mode=0o600)


def _mark_of(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None
