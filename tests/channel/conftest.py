from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.channel.look import Look
from tests.wheels import CURRENT, interpreter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.children import Children


@pytest.fixture
def version() -> str:
    """The version of iceoryx2 that simulated processes speak; parametrized by tests that hold for several."""
    return CURRENT


@pytest.fixture
def children(children: Children, version: str) -> Children:
    """Starts simulated processes that speak this version."""
    children.python = interpreter(version)
    return children


@pytest.fixture
def look(home: Path) -> Iterator[Look]:
    """Looks at the channel `bf` of processes started in `home`."""
    made = Look(home)
    yield made
    made.close()
