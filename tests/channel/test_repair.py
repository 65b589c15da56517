"""Clearing a channel: only what nobody can be using goes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.channel import Verdict, locate
from orchestrator.channel.repair import repair
from orchestrator.channel.service import service_hash
from tests.children import until

if TYPE_CHECKING:
    from tests.channel.look import Look
    from tests.children import Children

_SHARED_MEMORY = Path("/dev/shm")
_TYPE = "a" * 40


@pytest.fixture
def remains(home: Path) -> list[Path]:
    """What a connector left that died while it created its services: one with a static config, one without."""
    location = locate(home, None)
    to_bot, from_bot = (service_hash(f"bf/{end}") for end in ("ToBot", "FromBot"))
    services = Path(location.root, "services")
    services.mkdir(parents=True)
    paths = [
        services / f"{location.prefix}{to_bot}.service",
        _SHARED_MEMORY / f"{location.prefix}{_TYPE}_{to_bot}.dynamic",
        _SHARED_MEMORY / f"{location.prefix}{_TYPE}_{from_bot}.dynamic",
    ]
    for path in paths:
        path.write_bytes(bytes(64))
    return paths


def test_remains_that_nobody_uses_are_removed(home: Path, remains: list[Path]) -> None:
    assert sorted(repair(locate(home, None), "bf")) == sorted(remains)
    assert not any(path.exists() for path in remains)


def test_another_connectors_files_stay(home: Path, remains: list[Path]) -> None:
    assert repair(locate(home, None), "by") == ()
    assert all(path.exists() for path in remains)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_nothing_goes_while_a_process_has_one_of_them_open(home: Path, remains: list[Path], which: int) -> None:
    descriptor = os.open(remains[which], os.O_RDONLY)
    try:
        assert repair(locate(home, None), "bf") == ()
    finally:
        os.close(descriptor)
    assert all(path.exists() for path in remains)


def test_a_living_channel_is_left_alone(home: Path, children: Children, look: Look) -> None:
    child = children.sim("connector", "bf", "rate = 10\n")
    until(lambda: look(child.pid).verdict is Verdict.LIVE)
    assert repair(locate(home, None), "bf") == ()
    assert look(child.pid).verdict is Verdict.LIVE


def test_nothing_to_repair_is_nothing_done(home: Path) -> None:
    assert repair(locate(home, None), "bf") == ()
