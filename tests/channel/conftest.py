from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.channel.look import Look

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def look(home: Path) -> Iterator[Look]:
    """Looks at the channel `bf` of processes started in `home`."""
    made = Look(home)
    yield made
    made.close()
