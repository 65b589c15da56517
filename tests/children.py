"""Child processes of a test, and waiting for what they do."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_Found = TypeVar("_Found")
_REPOSITORY = Path(__file__).parent.parent


def until(condition: Callable[[], _Found], seconds: float = 60.0) -> _Found:
    """Return the condition's first true answer; fails when the deadline passes without one."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not reached in {seconds} s; the last answer was {answer!r}")
        time.sleep(0.005)
    return answer


class Child:
    """A process whose output goes to a file."""

    def __init__(self, argv: Sequence[str], cwd: Path, output: Path, env: Mapping[str, str] | None) -> None:
        self._output = output
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def output(self) -> str:
        return self._output.read_text(encoding="utf-8", errors="replace")

    def lines(self, start: str) -> list[str]:
        return [line for line in self.output().splitlines() if line.startswith(start)]

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = 60.0) -> int:
        return self.process.wait(seconds)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Children:
    """Starts processes in one directory and ends them all; `python` runs the simulated ones."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.python = Path(sys.executable)
        self._children: list[Child] = []

    def start(self, *argv: str | Path, env: Mapping[str, str] | None = None) -> Child:
        output = self.home / f"child{len(self._children)}.log"
        child = Child([str(argument) for argument in argv], self.home, output, env)
        self._children.append(child)
        return child

    def sim(self, program: str, names: str, settings: str | None = None) -> Child:
        """Start a simulated `connector` or `bot`; `settings` is the content of its TOML file."""
        argv: list[str | Path] = [self.python, "-m", "orchestrator.sim", program, names]
        if settings is not None:
            file = self.home / f"sim{len(self._children)}.toml"
            file.write_text(settings, encoding="utf-8")
            argv.append(file)
        return self.start(*argv, env={"PYTHONPATH": str(_REPOSITORY), "PATH": "/usr/bin:/bin"})

    def close(self) -> None:
        for child in self._children:
            if child.process.poll() is None:
                child.kill()
