"""The part of a simulated program that ends: signals, deaths on request, and its log."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from orchestrator.sim.settings import BotSettings, ConnectorSettings

_STOPPING: Final = (signal.SIGTERM, signal.SIGINT)
_SLICE: Final = 0.05
_closed: Final = threading.Event()


def log(text: str, level: str = "INFO") -> None:
    """Write one line to stdout, in the form of the real connector without its colours."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    write(f"{now} {level:>5} sim: {text}")


def write(line: str) -> None:
    """Write one line to stdout at once; a closed pipe or a full disk is no reason to end."""
    if not _closed.is_set():
        with contextlib.suppress(OSError):
            os.write(1, f"{line}\n".encode())


class Lifetime:
    """Counts the time since the program went live, and decides when it ends.

    Signals that stop are blocked and taken in `pause`: no handler, no race, and one that comes while the channel opens
    is not lost.
    """

    def __init__(self, settings: ConnectorSettings | BotSettings) -> None:
        self._settings = settings
        self._ignored = 0
        self._since = 0.0
        self._is_live = False
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)

    def before_live(self) -> None:
        """Wait, or die, as the settings ask for the time before the channel opens."""
        settings = self._settings
        if settings.die_before_live and self._counted(settings.state) < settings.die_before_live:
            log("dying before the channel opens, as told", "ERROR")
            os._exit(settings.exit_code or 1)
        if settings.slow_start:
            log("starting slowly, as told", "WARN")
        end = time.monotonic() + settings.slow_start
        while (left := end - time.monotonic()) > 0:
            if self.pause(min(left, _SLICE)):
                raise SystemExit(0)

    def live(self) -> None:
        """Start the clock; the channel is open."""
        settings = self._settings
        log("live")
        self._is_live = True
        self._arm()
        if settings.close_stdout:
            # 1 may become a descriptor of the channel's: nothing may write to it again
            _closed.set()
            os.close(1)
        elif settings.flood_log is not None:
            threading.Thread(target=_flood, args=(settings.flood_log,), daemon=True).start()

    def past(self, moment: float | None) -> bool:
        """Tell whether that many seconds of being live, or armed, are over; False for None."""
        if moment is None:
            return False
        if not self._since:
            self._arm()
        return self._since > 0 and time.monotonic() - self._since >= moment

    def _arm(self) -> None:
        file = self._settings.arm_file
        if file is None or Path(file).exists():
            self._since = time.monotonic()

    def pause(self, seconds: float) -> bool:
        """Sleep; True when a signal asked to stop and is not one of those to ignore."""
        settings = self._settings
        time.sleep(max(0.0, seconds))
        # not sigtimedwait: interrupted by SIGCONT at its deadline, CPython's returns a signal that never came
        pending = signal.sigpending().intersection(_STOPPING)
        if not pending:
            return self._dies()
        signal.sigwait(pending)
        if self._ignored < settings.ignore_sigterm:
            self._ignored += 1
            log("ignoring a signal, as told", "WARN")
            return False
        return True

    def _dies(self) -> bool:
        if not self._is_live or not self.past(self._settings.die_after):
            return False
        log("dying, as told", "ERROR")
        if self._settings.exit_code:
            os._exit(self._settings.exit_code)
        return True

    @staticmethod
    def _counted(state: str | None) -> int:
        """Return how many starts the state file had counted, and count this one."""
        if state is None:
            return 0
        file = Path(state)
        try:
            count = int(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            count = 0
        fresh = file.with_name(f"{file.name}.{os.getpid()}")
        fresh.write_text(f"{count + 1}\n", encoding="utf-8")
        fresh.replace(file)
        return count


def _flood(rate: float) -> None:
    line = b"x" * 99 + b"\n"
    start, lines = time.monotonic(), 0
    while True:
        try:
            os.write(1, line)
        except OSError:
            return
        lines += 1
        if rate:
            time.sleep(max(0.0, start + lines / rate - time.monotonic()))
