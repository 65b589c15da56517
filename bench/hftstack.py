"""hftstack as its users run it: the command line, in a home of its own."""

from __future__ import annotations

import compileall
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.ground import NOBODY, give
from orchestrator.deployment.homes import locate
from orchestrator.supervise import launch

if TYPE_CHECKING:
    from bench.programs import Programs
    from orchestrator.deployment.homes import StackHome

_REPOSITORY: Final = Path(__file__).resolve().parent.parent
_REACHABLE: Final = "import os, sys; sys.exit(not os.access(sys.executable, os.X_OK))"
_RUN: Final = "import sys; sys.path[:0] = {paths!r}; from orchestrator.cli.main import main; main()"


class CommandError(Exception):
    """Raised when a command that a bench relies on failed; holds what it said."""


@dataclass(frozen=True, slots=True)
class Journaled:
    """An event of the journal; `at` is CLOCK_REALTIME in seconds."""

    at: float
    unit: str | None
    what: str
    text: str


class Hftstack:
    """One home; `command` is what stands for `hftstack`, `environ` what it is run with."""

    def __init__(self, home: Path, command: tuple[str, ...], environ: dict[str, str]) -> None:
        self.command = command
        self.environ = {**environ, "HFTSTACK_HOME": str(home)}
        self._home = home

    def stack(self, name: str) -> StackHome:
        """Return where a stack's files lie."""
        return locate({"HFTSTACK_HOME": str(self._home)}).stack(name)

    def prepare(self, name: str, programs: Programs, owner: int | None = None) -> None:
        """Give a stack the connector's binary, so that `up --no-build` needs no cargo."""
        binaries = self.stack(name).binaries
        binaries.mkdir(parents=True, exist_ok=True)
        programs.stored(binaries)
        if owner is not None:
            give(self._home, owner)

    def run(self, *arguments: str | Path, allowed: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
        """Run a verb. Raises CommandError unless its exit code is allowed."""
        command = [*self.command, *map(str, arguments)]
        done = subprocess.run(command, env=self.environ, capture_output=True, text=True, check=False, cwd="/")
        if done.returncode not in allowed:
            raise CommandError(
                f"hftstack {' '.join(map(str, arguments))}: {done.returncode}\n{done.stdout}{done.stderr}"
            )
        return done

    def pid(self, stack: str, unit: str) -> int:
        """Return the pid of a unit that runs."""
        found: dict[str, Any] = json.loads(self.run("status", stack, "--format", "json", allowed=(0, 5)).stdout)
        return int(next(each["pid"] for each in found["units"] if each["name"] == unit))

    def supervisor(self, stack: str) -> int:
        """Return the pid of a stack's supervisor."""
        found: dict[str, Any] = json.loads(self.run("status", stack, "--format", "json", allowed=(0, 5)).stdout)
        return int(found["supervisor"]["pid"])

    def guardian(self, stack: str) -> int:
        """Return the pid of a stack's guardian."""
        return int(self.stack(stack).guardian_lock.read_text())

    def supervised(self, name: str) -> subprocess.Popen[bytes]:
        """Start a stack's supervisor on what is deployed, as a boot or a death of all does; returns its guardian."""
        stack = self.stack(name)
        stack.prepare()
        with stack.supervisor_log.open("ab") as log:
            return subprocess.Popen(
                launch.command(stack),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=launch.environment(self.environ),
                start_new_session=True,
            )

    def journal(self, stack: str) -> list[Journaled]:
        """Return the stack's history."""
        with closing(sqlite3.connect(self.stack(stack).journal)) as connection:
            rows = connection.execute("SELECT at, unit, what, text FROM events ORDER BY id").fetchall()
        return [Journaled(at / 1e9, unit, what, text) for at, unit, what, text in rows]


def installed(home: Path) -> Hftstack:
    """Return the `hftstack` of the environment that runs the bench, as the user who runs it."""
    script = Path(sys.executable).with_name("hftstack")
    if not script.is_file():
        sys.exit(f"missing: {script}. Run a bench with the project's environment: .venv/bin/python -m bench.NAME")
    compileall.compile_dir(str(_REPOSITORY / "orchestrator"), quiet=1)  # as an installation from a wheel is
    return Hftstack(home, (str(script),), dict(os.environ))


def as_nobody(home: Path, path: str) -> Hftstack | None:
    """Return hftstack as an ordinary user, who finds programs on `path`; for root only.

    None when setpriv or an interpreter that this user may run is missing.
    """
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0 or setpriv is None:
        return None
    drop = (setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = Path(sys.prefix) / "lib" / version / "site-packages"
    environ = {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8"}
    for python in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        # setpriv itself may still enter folders that its child may not, such as /root
        done = subprocess.run((*drop, python, "-c", _REACHABLE), capture_output=True, check=False, cwd="/")
        if done.returncode == 0:
            code = _RUN.format(paths=[str(_REPOSITORY), str(packages)])
            return Hftstack(home, (*drop, python, "-P", "-c", code), environ)
    return None
