"""The simulated bot: registers its symbols once, at its start, and counts what comes.

Like a real one it opens channels that no connector serves, and never registers again.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final

from orchestrator.sim.lifetime import Lifetime, write
from orchestrator.sim.wire import TO_ALL, Receiver, Sender, capacity

if TYPE_CHECKING:
    from orchestrator.sim.settings import BotSettings

_PAUSE: Final = 0.002
_REPORT: Final = 1.0


def run(connectors: list[str], settings: BotSettings) -> None:
    """Run until told to stop; then everything of this process's is removed from the channels."""
    lifetime = Lifetime(settings)
    lifetime.before_live()
    feeds = [_Feed(name, settings.symbols) for name in connectors]
    lifetime.live()
    for feed in feeds:
        feed.register()
    stalled = False
    while not lifetime.pause(_PAUSE):
        stalled = stalled or lifetime.past(settings.stall_after)
        if not stalled:
            for feed in feeds:
                feed.take()
    end = time.monotonic() + settings.linger
    while (left := end - time.monotonic()) > 0:
        # a second signal changes nothing: positions are being closed
        lifetime.pause(min(left, _PAUSE))
        for feed in feeds:
            feed.take()
    for feed in feeds:
        feed.report()


class _Feed:
    """One connector's channel, from the bot's side."""

    def __init__(self, name: str, symbols: tuple[str, ...]) -> None:
        size = capacity()
        self._name = name
        self._symbols = symbols
        self._ticks = frozenset(f"tick {symbol}" for symbol in symbols)
        self._id = random.getrandbits(64) or 1
        self._count = self._reported = 0
        self._next_report = 0.0
        self._sender = Sender(f"{name}/FromBot", publishers=size.max_bots, subscribers=1, buffer_size=size.buffer_size)
        self._receiver = Receiver(
            f"{name}/ToBot", publishers=1, subscribers=size.max_bots, buffer_size=size.buffer_size
        )

    def register(self) -> None:
        for symbol in self._symbols:
            self._sender.send(f"register {symbol}", self._id)

    def take(self) -> None:
        for to, text in self._receiver.messages():
            if to not in (TO_ALL, self._id) or text not in self._ticks:
                continue
            if not self._count:
                write(f"first tick {self._name} at={time.time_ns()}")
            self._count += 1
        now = time.monotonic()
        if now >= self._next_report:
            self._next_report = now + _REPORT
            self.report()

    def report(self) -> None:
        if self._count != self._reported:
            self._reported = self._count
            write(f"tick {self._name} count={self._count}")
