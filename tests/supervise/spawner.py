"""Units started behind their gate in a folder, and ended."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from orchestrator.supervise import process as processes
from orchestrator.supervise.gate import Command, Gated, spawn
from tests.children import until

if TYPE_CHECKING:
    from pathlib import Path

SELF = f"{os.geteuid()}/test{os.getpid()}"


class Spawner:
    """Starts units and ends them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[int] = []

    def spawn(self, *argv: str, unit: str = "u", env: dict[str, str] | None = None, slack: int | None = None) -> Gated:
        command = Command(
            argv=argv,
            cwd=str(self.folder),
            env={"PATH": "/usr/bin:/bin", **(env or {})},
            marker=f"{SELF}/{unit}/token",
            logs=str(self.folder),
            timer_slack=slack,
        )
        gated = spawn(command)
        gated.begin_at(255, self.folder / "log")
        self._started.append(gated.process.id.pid)
        return gated

    def run(self, *argv: str) -> int | None:
        gated = self.spawn(*argv)
        gated.open()
        until(lambda: processes.identity(gated.process.id.pid) is None)
        reaped, code = gated.process.reap()
        assert reaped
        return code

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def close(self) -> None:
        for pid in self._started:
            with suppress(ChildProcessError):
                os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)  # still our child, so the pid is its own
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
