"""Restarts of stale connectors: only when the exchange answers, for nothing else could be cured by one.

Each restart costs the budget, and cancels the account's open orders of the connector's symbols. So while the exchange
is out of reach the connector stays as it is, and is asked after again and again.
"""

from __future__ import annotations

import asyncio
import random
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from orchestrator.deployment.model import OnStale
from orchestrator.supervise.unit import Broken, State, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.deployment.model import Endpoint
    from orchestrator.supervise.graph import Graph
    from orchestrator.supervise.names import Names
    from orchestrator.supervise.unit import Event

_PATIENCE: Final = 2.0
"""Seconds for a TCP connection to be made."""

_AGAIN: Final = 1.0
"""Seconds between two tries, in the middle: they are spread by half of it in both directions."""


class Rescue:
    """Attends to the stale connectors of a stack; lives in its loop. `feed` hears what is to become of them."""

    def __init__(self, graph: Callable[[], Graph], names: Names, *, feed: Callable[[str, Event], None]) -> None:
        self._graph = graph
        self._names = names
        self._feed = feed
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._random = random.Random()  # noqa: S311 - spreads tries, guards nothing

    def follow(self) -> None:
        """Take up what is stale by now, and let go of what is no more."""
        for name in [name for name in self._tasks if not self._needs_help(name)]:
            self._tasks.pop(name).cancel()
        for name in self._graph().units:
            if name not in self._tasks and self._needs_help(name):
                self._tasks[name] = self._loop.create_task(self._attend(name))

    def close(self) -> None:
        """Attend to nothing any more."""
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()

    def _needs_help(self, name: str) -> bool:
        graph = self._graph()
        unit = graph.units.get(name)
        if unit is None or unit.state is not State.STALE:
            return False
        spec = graph.used(name)
        return spec.health.on_stale is OnStale.RESTART and not spec.external

    async def _attend(self, name: str) -> None:
        graph = self._graph()
        reason = f"stale: {graph.units[name].why}"
        while (unanswered := await self._unanswered(graph.used(name).streams)) is not None:
            self._feed(name, Unreachable(unanswered.host))
            await asyncio.sleep(_AGAIN * (0.5 + self._random.random()))
        self._feed(name, Broken(reason))

    async def _unanswered(self, streams: tuple[Endpoint, ...]) -> Endpoint | None:
        """Return an endpoint that does not answer, None when all do."""
        for stream in dict.fromkeys(streams):
            if not await self._answers(stream):
                return stream
        return None

    async def _answers(self, stream: Endpoint) -> bool:
        """Tell whether one of a host's addresses of now takes a connection in time; all are tried at once."""
        addresses = self._names.latest(stream.host, self._loop.time())
        tries = [self._loop.create_task(self._connects(address, stream.port)) for address in addresses]
        try:
            for answer in asyncio.as_completed(tries, timeout=_PATIENCE):
                if await answer:
                    return True
        except TimeoutError:
            pass
        finally:
            for attempt in tries:
                attempt.cancel()
        return False

    async def _connects(self, address: str, port: int) -> bool:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as attempt:
            attempt.settimeout(0)
            await self._loop.sock_connect(attempt, (address, port))
            return True
        return False
