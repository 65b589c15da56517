"""The simulated connector: NAME/ToBot and NAME/FromBot, open from its start to its end.

Like the real one it sends only the symbols that bots registered with this very process: bots that were attached to a
process before it stay blind.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from orchestrator.sim.lifetime import Lifetime, log
from orchestrator.sim.wire import Receiver, Sender, capacity

if TYPE_CHECKING:
    from orchestrator.sim.settings import ConnectorSettings

_LONGEST_PAUSE: Final = 0.01
_LARGEST_BURST: Final = 1000


def run(name: str, settings: ConnectorSettings) -> None:
    """Run until told to stop; then everything of this process's is removed from the channel."""
    lifetime = Lifetime(settings)
    lifetime.before_live()
    size = capacity()
    requests = Receiver(f"{name}/FromBot", publishers=size.max_bots, subscribers=1, buffer_size=size.buffer_size)
    sender: Sender | None = Sender(
        f"{name}/ToBot", publishers=1, subscribers=size.max_bots, buffer_size=size.buffer_size
    )
    lifetime.live()
    symbols: list[str] = []
    sent, began = 0, 0.0
    silent = False
    while not lifetime.pause(_pause(settings.rate, sent, began) if symbols and sender else _LONGEST_PAUSE):
        for symbol in _registered(requests, settings.symbols):
            if symbol not in symbols:
                began = began or time.monotonic()
                symbols.append(symbol)
                log(f"subscribed {symbol}")
        if sender is not None and lifetime.past(settings.drop_publisher_after):
            sender = None
            log("publisher dropped, as told", "WARN")
        if not silent and lifetime.past(settings.silent_after):
            silent = True
            log(f"silent from now on, after {sent} messages, as told", "WARN")
        if sender is None or silent or not symbols:
            continue
        due = int((time.monotonic() - began) * settings.rate) - sent
        for _ in range(min(due, _LARGEST_BURST)):
            sender.send(f"tick {symbols[sent % len(symbols)]}")
            sent += 1
    log("stopped")


def _pause(rate: float, sent: int, began: float) -> float:
    """Return the seconds until the next message is due, or until requests are looked at again."""
    if not rate:
        return _LONGEST_PAUSE
    return min(_LONGEST_PAUSE, began + (sent + 1) / rate - time.monotonic())


def _registered(requests: Receiver, offered: tuple[str, ...]) -> list[str]:
    found = []
    for _, text in requests.messages():
        verb, _, symbol = text.partition(" ")
        if verb == "register" and symbol:
            if not offered or symbol in offered:
                found.append(symbol)
            else:
                log(f"no such symbol: {symbol}", "ERROR")
    return found
