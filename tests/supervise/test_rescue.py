from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestrator.deployment.model import Endpoint
from orchestrator.supervise.graph import Graph
from orchestrator.supervise.names import Names
from orchestrator.supervise.rescue import Rescue
from orchestrator.supervise.unit import Broken, State, Unit, Unreachable
from tests.supervise.specs import connector

if TYPE_CHECKING:
    from orchestrator.supervise.unit import Event


def _names(*addresses: str) -> Names:
    def resolve(*_: object, **__: object) -> list[tuple[Any, ...]]:
        return [(None, None, None, "", (address, 0)) for address in addresses]

    return Names(resolve)


async def _first(names: Names, port: int, wanted: type[Event]) -> Event:
    """Return the first event of a kind that a stale connector of that exchange gets."""
    spec = replace(connector("bf"), streams=(Endpoint("exchange.example", port),))
    unit = Unit(State.STALE, wanted=True, alive=True, running=spec, why="silent")
    heard: asyncio.Queue[Event] = asyncio.Queue()
    rescue = Rescue(lambda: Graph({"bf": spec}, {"bf": unit}), names, feed=lambda _, event: heard.put_nowait(event))
    rescue.follow()
    async with asyncio.timeout(20):
        while not isinstance(event := await heard.get(), wanted):
            pass
    rescue.close()
    return event


def test_one_address_that_answers_is_enough_however_many_do_not() -> None:
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = server.getsockname()[1]
        dead = [f"127.0.1.{number}" for number in range(1, 100)]
        for address in dead:  # a queue that is full swallows connections, as a host does that is gone
            full = stack.enter_context(socket.create_server((address, port), backlog=0))
            waiting = stack.enter_context(socket.socket())
            waiting.connect(full.getsockname())
        assert asyncio.run(_first(_names(*dead, "127.0.0.1"), port, Broken)) == Broken("stale: silent")


def test_a_connector_stays_as_it_is_while_its_exchange_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert asyncio.run(_first(_names("127.0.0.1"), port, Unreachable)) == Unreachable("exchange.example")
