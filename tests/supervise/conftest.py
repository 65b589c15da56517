from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.supervise.spawner import Spawner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def spawner(tmp_path: Path) -> Iterator[Spawner]:
    """Starts units in a folder."""
    started = Spawner(tmp_path)
    yield started
    started.close()
