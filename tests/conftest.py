"""What tests of several rooms share: processes, an iceoryx2 of their own, the paper programs."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from orchestrator.errors import Diagnostic
from tests import bad
from tests.cargo import PAPER, environment
from tests.children import Children
from tests.isolation import iceoryx2_home, remove_shared_memory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True, scope="session")
def every_mistake_has_a_rule() -> Iterator[None]:
    """Let no mistake of a stack file be made whose rule is in no room's `ruleset`."""
    known = bad.rules()
    make = Diagnostic.__init__

    def checked(self: Diagnostic, *values: object, **named: object) -> None:
        make(self, *values, **named)  # type: ignore[arg-type]
        assert self.rule in known, f"{self.rule} is in no ruleset"

    Diagnostic.__init__ = checked  # type: ignore[method-assign]
    yield
    Diagnostic.__init__ = make  # type: ignore[method-assign]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A working directory with its own iceoryx2 root and prefix; what is left in /dev/shm goes with it."""
    directory = iceoryx2_home(tmp_path)
    yield directory
    remove_shared_memory(directory)


@pytest.fixture
def children(home: Path) -> Iterator[Children]:
    """Starts processes in `home` and kills those that still run."""
    started = Children(home)
    yield started
    started.close()


@pytest.fixture(scope="session")
def paper_binaries() -> Path:
    """The directory with exchange, connector and bot of the paper workspace, which speak iceoryx2 0.6.1."""
    cargo = shutil.which("cargo")
    if cargo is None:
        if os.environ.get("CI") == "true":
            pytest.fail("cargo is missing")
        pytest.skip("cargo is missing: install Rust to run what needs the paper workspace")
    subprocess.run([cargo, "build", "--release", "--workspace", "--quiet"], cwd=PAPER, env=environment(), check=True)
    return PAPER / "target/release"
