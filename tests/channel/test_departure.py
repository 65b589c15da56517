from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.channel import locate
from orchestrator.channel.departure import has_connections_of_the_dead

if TYPE_CHECKING:
    from collections.abc import Callable

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


def test_a_living_bots_connection_and_another_connectors_are_not_meant(
    home: Path, connect: Callable[[int, int], None], dead: int
) -> None:
    connect(_CONNECTOR, os.getpid())
    connect(_CONNECTOR + 1, dead)
    assert not has_connections_of_the_dead(locate(home, None), _CONNECTOR)
