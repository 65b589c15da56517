from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from orchestrator.supervise.graph import Graph
from orchestrator.supervise.servicemanager import ServiceManager, summary
from orchestrator.supervise.unit import State, Unit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(20)
        yield listener


def _manager(listener: socket.socket, **more: str) -> ServiceManager:
    return ServiceManager({"NOTIFY_SOCKET": listener.getsockname(), **more})


def test_a_message_has_a_line_an_assignment(heard: socket.socket) -> None:
    _manager(heard).say("READY=1", "STATUS=3 up")
    assert heard.recv(1000) == b"READY=1\nSTATUS=3 up"


def test_the_watchdog_is_fed_and_a_status_is_told_when_it_changes(heard: socket.socket) -> None:
    manager = _manager(heard, WATCHDOG_USEC="30000")
    told = iter(["1 starting", "1 up", "1 up"])

    async def keep() -> None:
        with suppress(StopIteration, RuntimeError):
            await manager.keep(lambda: next(told))

    asyncio.run(keep())
    assert [heard.recv(1000) for _ in range(3)] == [
        b"WATCHDOG=1\nSTATUS=1 starting",
        b"WATCHDOG=1\nSTATUS=1 up",
        b"WATCHDOG=1",
    ]


def test_without_a_manager_nothing_is_said_and_nobody_waits() -> None:
    manager = ServiceManager({})
    manager.say("READY=1")
    asyncio.run(manager.keep(lambda: "never asked"))
    assert not manager.listens


def test_a_manager_that_has_gone_is_no_trouble(tmp_path: Path) -> None:
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")}).say("READY=1")


def test_the_summary_counts_states_and_names_what_failed() -> None:
    units = {"a": Unit(State.UP), "b": Unit(State.UP), "mm": Unit(State.FAILED), "x": Unit(State.FAILED)}
    assert summary(Graph(units=units)) == "2 up, 2 failed: mm, x"
    assert summary(Graph()) == "no units"
