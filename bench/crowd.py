"""The ends of many channels in one process: `python -m bench.crowd connectors|bots RATE NAME...`.

Each end is opened as the simulator opens it, with two nodes of its own. A connector sends RATE messages a second on
each channel, a bot takes what has come.
"""

from __future__ import annotations

import resource
import signal
import sys
import time
from typing import TYPE_CHECKING, Final

from orchestrator.sim.wire import Receiver, Sender, capacity

if TYPE_CHECKING:
    from collections.abc import Sequence

_TURN: Final = 0.1


def connectors(names: Sequence[str], rate: float) -> None:
    """Hold the connectors' ends and send, until told to stop."""
    size = capacity()
    ends = []
    for name in names:
        requests = Receiver(f"{name}/FromBot", publishers=size.max_bots, subscribers=1, buffer_size=size.buffer_size)
        sender = Sender(f"{name}/ToBot", publishers=1, subscribers=size.max_bots, buffer_size=size.buffer_size)
        ends.append((requests, sender))
    print("live", flush=True)
    sent, begun = 0, time.monotonic()
    while _goes_on():
        due = int((time.monotonic() - begun) * rate) - sent
        for _, sender in ends:
            for _ in range(due):
                sender.send("tick btcusdt")
        sent += due


def bots(names: Sequence[str], _: float) -> None:
    """Hold one bot's end of each channel and receive, until told to stop."""
    size = capacity()
    ends = []
    for name in names:
        sender = Sender(f"{name}/FromBot", publishers=size.max_bots, subscribers=1, buffer_size=size.buffer_size)
        receiver = Receiver(f"{name}/ToBot", publishers=1, subscribers=size.max_bots, buffer_size=size.buffer_size)
        ends.append((sender, receiver))
    print("live", flush=True)
    while _goes_on():
        for _sender, receiver in ends:
            for _message in receiver.messages():
                pass


def _goes_on() -> bool:
    return signal.sigtimedwait({signal.SIGTERM}, _TURN) is None


def main(arguments: Sequence[str]) -> None:
    """Run one program."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    side, rate, *names = arguments
    {"connectors": connectors, "bots": bots}[side](names, float(rate))


if __name__ == "__main__":
    main(sys.argv[1:])
