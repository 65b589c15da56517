"""One stack on this machine, run through the command line; what it leaves is looked for without hftstack's own code."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.children import until
from tests.isolation import iceoryx2_home, remove_shared_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_MAIN = "from orchestrator.cli.main import main; main()"
HFTSTACK = [sys.executable, "-c", _MAIN]
_SHARED = Path("/dev/shm")
_AT_REST = 40
"""Looks at the journal that find nothing new: 0.2 s at least, and it writes what it has after 0.05 s."""


@dataclass(frozen=True)
class Done:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


class Running:
    """A command that goes on while the test does something else."""

    def __init__(self, process: subprocess.Popen[bytes], words: str, out: Path, err: Path) -> None:
        self.process = process
        self.words = words
        self._out = out
        self._err = err

    def told(self) -> str:
        """Return what it has said so far."""
        return self._out.read_text(encoding="utf-8") + self._err.read_text(encoding="utf-8")

    def done(self, seconds: float = 60.0) -> Done:
        code = self.process.wait(seconds)
        return Done(code, self._out.read_text(encoding="utf-8"), self._err.read_text(encoding="utf-8"))


class Machine:
    """A folder with a stack file, its own hftstack home and its own iceoryx2; short, for socket paths are."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hs", dir="/tmp"))
        self.home = self.folder / "h"
        self.file = self.folder / "s.yaml"
        self.python = Path(sys.executable)
        self.state = self.home / "state/s"
        self.runtime = self.home / "run/s"
        self._running: list[Running] = []
        iceoryx2_home(self.folder)

    def write(self, document: Mapping[str, Any] | None = None, *, file: Path | None = None, **sections: Any) -> None:  # noqa: ANN401 - YAML
        """Write the stack file; `sections` are its keys."""
        whole = {"version": 1, "name": "s", "network": "local", **(document or {}), **sections}
        (file or self.file).write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")

    def script(self, name: str, text: str) -> str:
        """Write a shell script and return its path."""
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)
        return str(path)

    def environ(self, **more: str) -> dict[str, str]:
        kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        return {**kept, "HFTSTACK_HOME": str(self.home), **more}

    def begin(self, *words: str | Path, env: Mapping[str, str] | None = None, prefix: tuple[str, ...] = ()) -> Running:
        """Start `hftstack WORDS`; `prefix` is a command that runs it."""
        return self._run([*prefix, str(self.python), "-c", _MAIN, *map(str, words)], env, " ".join(map(str, words)))

    def _run(self, argv: Sequence[str], env: Mapping[str, str] | None = None, words: str = "") -> Running:
        # files, not pipes: nobody need read them, and what is left behind cannot hold them open
        number = len(self._running)
        out, err = self.folder / f"out{number}", self.folder / f"err{number}"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                argv,
                cwd=self.folder,
                env=self.environ(**(env or {})),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
        running = Running(process, words, out, err)
        self._running.append(running)
        return running

    def hftstack(self, *words: str | Path, env: Mapping[str, str] | None = None) -> Done:
        return self.begin(*words, env=env).done()

    def up(self, *options: str) -> Done:
        """Bring the stack up; it must succeed."""
        done = self.hftstack("up", self.file, *options)
        assert done.code == 0, done.said
        return done

    def down(self, *options: str) -> Done:
        """Take the stack down; it must succeed and leave nothing."""
        done = self.hftstack("down", "s", *options)
        assert done.code == 0, done.said
        left = self.left()
        assert left == {}, left
        return done

    def status(self) -> dict[str, Any]:
        """Ask the supervisor itself: looking again and again costs no interpreter each time."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(20)
            connection.connect(str(self.runtime / "control.sock"))
            connection.sendall(b'{"jsonrpc": "2.0", "id": 1, "method": "status"}\n')
            with connection.makefile("rb") as answer:
                found: dict[str, Any] = json.loads(answer.readline())["result"]
        return found

    def units(self) -> dict[str, dict[str, Any]]:
        """Return the units' status by name; nothing while no supervisor listens."""
        try:
            return {unit["name"]: unit for unit in self.status()["units"]}
        except OSError:
            return {}

    def pids(self) -> dict[str, int | None]:
        return {name: unit["pid"] for name, unit in self.units().items()}

    def until_units(self, holds: Callable[[dict[str, dict[str, Any]]], object]) -> dict[str, dict[str, Any]]:
        """Return the units' status once it is as wanted."""

        def look() -> dict[str, dict[str, Any]] | None:
            found = self.units()
            try:
                return found if holds(found) else None
            except KeyError:
                return None

        found = until(look)
        assert found is not None
        return found

    def supervisor(self) -> int:
        """Return the supervisor's pid as it recorded it beside its lock."""
        return int(until((self.state / "lock").read_text))

    def guardian(self) -> int:
        """Return the guardian's pid as it recorded it beside its lock."""
        return int(until((self.state / "guardian.lock").read_text))

    def kill_supervisor(self) -> None:
        """Kill the supervisor and, before it, the guardian that would start the next one; nobody acts in between."""
        supervisor = self.supervisor()
        for pid, number in (
            (supervisor, signal.SIGSTOP),
            (self.guardian(), signal.SIGKILL),
            (supervisor, signal.SIGKILL),
        ):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        until(lambda: not _lives(self.guardian()) and not _lives(self.supervisor()))

    def supervise(self) -> None:
        """Start a guardian as systemd would: its supervisor brings back what is wanted."""
        boot = Path(__file__).parents[2] / "orchestrator/supervise/boot.py"
        self._run([sys.executable, "-I", "-S", str(boot), "--lock", str(self.state / "guardian.lock"), "s"])

    def other(self, *argv: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a process beside the stack, in its folder; it ends with the test."""
        return self._run(argv, env).process

    def journal(self) -> list[tuple[str | None, str, str]]:
        """Return (unit, what, text) of every event so far, when the journal has come to rest."""
        seen: list[list[tuple[str | None, str, str]]] = []

        def rests() -> bool:
            seen.append(self._events())
            return len(seen) > _AT_REST and seen[-1] == seen[-1 - _AT_REST]

        until(rests)
        return seen[-1]

    def _events(self) -> list[tuple[str | None, str, str]]:
        connection = sqlite3.connect(f"file:{self.state}/journal.db?mode=ro", uri=True)
        try:
            return connection.execute("SELECT unit, what, text FROM events ORDER BY id").fetchall()
        finally:
            connection.close()

    def happened(self, what: str) -> list[str | None]:
        """Return the units to which this happened, in order."""
        return [unit for unit, event, _ in self.journal() if event == what]

    def log(self, unit: str) -> str:
        """Return the output of a unit's last start."""
        return max((self.state / "logs" / unit).glob("*.log")).read_text(encoding="utf-8", errors="replace")

    def ticks(self, bot: str) -> int:
        """Return the messages that the last start of a simulated bot has counted."""
        lines = [line for line in self.log(bot).splitlines() if line.startswith("tick ")]
        return int(lines[-1].rpartition("=")[2]) if lines else 0

    # Independent of hftstack

    def processes(self) -> dict[int, str]:
        """Return pid -> command of every process that has to do with this folder, but for the test's own commands."""
        needle = os.fsencode(self.folder)
        own = {running.process.pid for running in self._running}
        found = {}
        for entry in os.scandir("/proc"):
            if not entry.name.isdecimal() or int(entry.name) in own:
                continue
            with suppress(OSError):
                place = Path(entry.path)
                command = (place / "cmdline").read_bytes()
                texts = (command, (place / "environ").read_bytes(), os.fsencode((place / "cwd").readlink()))
                if any(needle in text for text in texts) and _lives(int(entry.name)):
                    found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace")
        return found

    def members(self) -> dict[str, list[int]]:
        """Return unit -> pids, by the marker in the environment of every process of this folder."""
        found: dict[str, list[int]] = {}
        for pid in self.processes():
            with suppress(OSError):
                for item in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                    if item.startswith(b"HFTSTACK_UNIT="):
                        found.setdefault(item.decode().split("/")[3], []).append(pid)
        return found

    @staticmethod
    def is_opened(pid: int) -> bool:
        """Tell whether a process has passed its gate: the gate's shell has a pipe for stdin, a unit has /dev/null."""
        try:
            return str(Path(f"/proc/{pid}/fd/0").readlink()) == os.devnull
        except OSError:
            return False

    def shared_memory(self) -> list[str]:
        """Return what is in /dev/shm of this folder's iceoryx2; the wheel itself keeps one file."""
        text = (self.folder / "config/iceoryx2.toml").read_text(encoding="utf-8")
        prefix = text.partition('\nprefix = "')[2].partition('"')[0]
        return [file.name for file in _SHARED.glob(f"{prefix}*") if file.suffix != ".global_mgmt"]

    def left(self) -> dict[int | str, str]:
        """Return processes and shared memory that are still there, once a leaving supervisor has left."""
        with suppress(AssertionError):
            until(lambda: not self.processes(), 5)
        left: dict[int | str, str] = dict(self.processes().items())
        return left | dict.fromkeys(self.shared_memory(), "/dev/shm")

    def close(self) -> None:
        """End everything, and remove the folder."""
        self.end_processes()
        remove_shared_memory(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)

    def end_processes(self) -> None:
        """Kill by pid what still runs, until nothing does."""
        for running in self._running:
            if running.process.poll() is None:
                os.killpg(running.process.pid, signal.SIGKILL)
            running.process.wait()
        for _ in range(100):
            found = self.processes()
            for pid in found:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not found:
                break


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def lives(pid: int) -> bool:
    """Tell whether a process exists and is no zombie."""
    return _lives(pid)


def pair(config: Mapping[str, Any] | None = None, /, **bot: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML
    """Return the sections of one simulated connector and a bot on it."""
    connector: dict[str, Any] = {"type": "sim"} if config is None else {"type": "sim", "config": dict(config)}
    return {
        "connectors": {"bf": connector},
        "bots": {"mm": {"type": "sim", "depends_on": ["bf"], "stop": {"grace": "2s"}, **bot}},
    }
