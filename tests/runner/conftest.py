from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from orchestrator import ConnectorConfig, ConnectorRunner
from tests.build.conftest import cargo_environ, workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["cargo_environ", "workspace"]

FUTURES = 'stream_url = "ws://127.0.0.1:9/ws"\napi_url = "http://127.0.0.1:9"\n'
"""A config at whose address nobody listens: the channel opens all the same."""


class Bench:
    """Makes runners in one folder, which is the working directory, and stops them all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._runners: list[ConnectorRunner] = []

    def file(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def program(self, name: str, script: str) -> Path:
        path = self.file(name, f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def runner(self, connector_type: str, text: str, name: str = "bf", **more: Any) -> ConnectorRunner:  # noqa: ANN401 - of ConnectorConfig
        """Return a runner on a config file with this text."""
        config = ConnectorConfig(name, connector_type, self.file(f"{name}.toml", text), **more)
        runner = ConnectorRunner(config)
        self._runners.append(runner)
        return runner

    def sim(self, faults: str = "", **more: Any) -> ConnectorRunner:  # noqa: ANN401 - of ConnectorConfig
        """Return a runner of the simulator, with what is to be wrong with it."""
        return self.runner("sim", f"[faults]\n{faults}\n", **more)

    def paper(self, binaries: Path, **more: Any) -> ConnectorRunner:  # noqa: ANN401 - of ConnectorConfig
        """Return a runner of the paper connector as it is built: no cargo in here."""
        options = {"binary_path": binaries / "connector", "auto_build": False, **more}
        return self.runner("binancefutures", FUTURES, **options)

    def script(self, script: str, **more: Any) -> ConnectorRunner:  # noqa: ANN401 - of ConnectorConfig
        """Return a runner of a shell script in the connector's place."""
        program = self.program("connector", script)
        return self.runner("binancefutures", FUTURES, binary_path=program, auto_build=False, **more)

    def close(self) -> None:
        for runner in self._runners:
            runner.stop(0.5)


@pytest.fixture
def bench(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Makes runners in a working directory with an iceoryx2 of its own."""
    monkeypatch.chdir(home)
    made = Bench(home)
    yield made
    made.close()
