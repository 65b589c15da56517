"""A connector's process: started in a session of its own, watched through a pidfd, ended by the stop recipe."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING

from orchestrator.channel.departure import TIDIED_WITHIN, has_connections_of_the_dead
from orchestrator.supervise import process as processes
from orchestrator.supervise.lull import LOOK_EVERY, LULL_WITHIN, Lull
from orchestrator.supervise.unit import FRAGILE, LOST_AFTER, SETTLED_AFTER, SHORTEST_GRACE, TERM_EVERY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.channel.location import Location
    from orchestrator.runner.output import Output


class Child:
    """One process of a connector. `begun` is an instant of the monotonic clock; `lived`: its channel was seen open."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], output: Output | None) -> None:
        """Start it. Raises OSError."""
        self.begun = time.monotonic()
        self.lived = False
        self.process = subprocess.Popen(
            (*_softenable(), *argv),
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=None if output is None else output.stdout.descriptor,
            stderr=None if output is None else output.stderr.descriptor,
            start_new_session=True,  # Ctrl-C and the terminal's end are ours to answer, by the stop recipe
        )
        self._pidfd = os.pidfd_open(self.process.pid)
        weakref.finalize(self, os.close, self._pidfd)

    @property
    def pid(self) -> int:
        """Its pid."""
        return self.process.pid

    @property
    def ended(self) -> bool:
        """Whether it has ended; it is reaped then."""
        return self.process.poll() is not None

    def wait(self, seconds: float) -> bool:
        """Wait for its end, at most so long; tell whether it has ended."""
        select.select([self._pidfd], [], [], max(0.0, seconds))
        return self.ended

    def end(self, grace: float, location: Location) -> bool:
        """End it: SIGTERM in a quiet moment, again every 50 ms, SIGKILL after `grace` seconds; False when it was that.

        Raises TimeoutError when it outlives SIGKILL by a second: it is in the kernel then.
        """
        until = time.monotonic() + grace
        try:
            if self._settle():
                return True
            processes.soften(self.pid)
            self._wait_for_quiet(location, until)
            until = max(until, time.monotonic() + SHORTEST_GRACE)
            while time.monotonic() < until:
                self._signal(signal.SIGTERM)
                if self.wait(min(TERM_EVERY, until - time.monotonic())):
                    return True
            if self.wait(self.begun + FRAGILE - time.monotonic()):
                return True
        except BaseException:
            self._signal(signal.SIGKILL)
            self.wait(LOST_AFTER)
            raise
        self._signal(signal.SIGKILL)
        if not self.wait(LOST_AFTER):
            raise TimeoutError
        return False

    def _settle(self) -> bool:
        """Let a young one open its channel first; tell whether it has ended."""
        return self.wait(0.0 if self.lived else self.begun + SETTLED_AFTER - time.monotonic())

    def _wait_for_quiet(self, location: Location, until: float) -> None:
        begun = time.monotonic()
        lull: Lull | None = None
        while (now := time.monotonic()) < min(begun + LULL_WITHIN, until):
            if lull is None and (now >= begun + TIDIED_WITHIN or not self._is_untidied(location)):
                lull = Lull(self.pid, now)
            if (lull is not None and lull.is_now(now)) or self.wait(LOOK_EVERY):
                return

    def _is_untidied(self, location: Location) -> bool:
        try:
            return has_connections_of_the_dead(location, self.pid)
        except OSError:
            return False

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)


def _softenable() -> tuple[str, ...]:
    """Return what to put before a command so that we may make it receptive to SIGTERM; see `processes.soften`."""
    if os.geteuid() == 0 or processes.may_soften_others() or not processes.user_namespaces_work():
        return ()
    return processes.own_user_namespace()
