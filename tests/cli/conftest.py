from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.harness import Machine

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def machine() -> Iterator[Machine]:
    """A folder, a home and an iceoryx2 of the test's own; whatever still runs of it is killed by pid."""
    started = Machine()
    yield started
    started.close()
