from __future__ import annotations

import socket
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


@pytest.fixture
def free_port() -> int:
    """A port on loopback at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
