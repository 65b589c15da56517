from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.channel import Verdict, locate
from orchestrator.channel.departure import has_connections_of_the_dead
from tests.children import until
from tests.wheels import LATEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.channel.look import Look
    from tests.children import Children

_TYPE = "b" * 40
_CONNECTOR = 4242


@pytest.fixture
def connect(home: Path) -> Callable[[int, int], None]:
    """Makes a connection's segment from one pid to another, named as 0.6.1 names it."""
    prefix = locate(home, None).prefix

    def make(publisher: int, subscriber: int) -> None:
        ports = "_".join(str((7 << 64) + pid) for pid in (publisher, subscriber))
        Path(f"/dev/shm/{prefix}{_TYPE}_{ports}.connection").touch()

    return make


@pytest.fixture
def dead() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_a_dead_bots_connection_is_seen_until_it_is_removed(
    home: Path, connect: Callable[[int, int], None], dead: int
) -> None:
    location = locate(home, None)
    assert not has_connections_of_the_dead(location, _CONNECTOR)
    connect(_CONNECTOR, dead)
    assert has_connections_of_the_dead(location, _CONNECTOR)
    for path in Path("/dev/shm").glob(f"{location.prefix}*.connection"):
        path.unlink()
    assert not has_connections_of_the_dead(location, _CONNECTOR)


@pytest.mark.parametrize("version", LATEST[:-1])
def test_a_silent_connector_keeps_the_connection_of_a_bot_that_was_killed(
    home: Path, children: Children, look: Look, version: str
) -> None:
    connector = children.sim("connector", "bf", "[faults]\nsilent_after = 0\n")
    look.until(Verdict.LIVE, connector.pid)
    bot = children.sim("bot", "bf")
    until(lambda: bot.pid in [link.pid for link in look(connector.pid).bots])
    until(lambda: look.probe.fast() is not None)
    assert not has_connections_of_the_dead(locate(home, None), connector.pid)
    bot.kill()
    assert has_connections_of_the_dead(locate(home, None), connector.pid)
    assert look(connector.pid).version == tuple(map(int, version.split(".")))


def test_a_living_bots_connection_and_another_connectors_are_not_meant(
    home: Path, connect: Callable[[int, int], None], dead: int
) -> None:
    connect(_CONNECTOR, os.getpid())
    connect(_CONNECTOR + 1, dead)
    assert not has_connections_of_the_dead(locate(home, None), _CONNECTOR)
