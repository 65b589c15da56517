"""Faults at random moments. Each leaves the whole stack wanted; what it says is told with a round that fails."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from tests.chaos import checker

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.harness import Machine, Running

_GARBAGE: Final = (
    b"\n" * 100,
    b"{" * 70_000,
    b'{"jsonrpc": "2.0", "id": 1, "method": "apply", "params": {"deployment": {}}}\n',
    b'{"jsonrpc": "2.0", "id": 1, "method": "stop", "params": {"units": "all", "timeout": -1}}\n',
    b'{"jsonrpc": "2.0", "id": [1], "method": 7}\n[]\nnull\n"status"\n',
    b'{"jsonrpc": "2.0", "id": 1, "method": "status"',
)
_TELL: Final = (("status", "s"), ("status", "s", "--format", "json"), ("probe",), ("events", "s"))
_CODES: Final = {0, 5, 7}
"""Exit codes that a command may have in the middle of a fault: done, not reached, refused (design section 9)."""


_UNBORN: Final = "the supervisor did not start"
"""What `up` says when the guardian is killed before its supervisor listens; the next one succeeds."""


class Faults:
    """The faults of one round on one machine; `small` is a file system that may be filled, where there is one."""

    def __init__(
        self, machine: Machine, units: tuple[str, ...], chance: random.Random, small: tuple[Path, ...]
    ) -> None:
        self._machine = machine
        self._units = units
        self._chance = chance
        self._small = small
        self.said: list[str] = []
        self.filled = False
        """A disk was full: what was started meanwhile may run without a log."""

    def all(self) -> dict[str, Callable[[], None]]:
        """Return the faults by name."""
        found = {
            "kill units": self.kill_units,
            "kill the supervisor": lambda: self.kill("supervisor"),
            "kill the guardian": lambda: self.kill("guardian"),
            "kill both": lambda: self.kill("guardian", "supervisor"),
            "kill all at once": self.kill_everything,
            "kill supervisors and units in turn": self.kill_in_turn,
            "freeze a unit": lambda: self.freeze("unit"),
            "freeze the supervisor": lambda: self.freeze("supervisor"),
            "freeze the guardian": lambda: self.freeze("guardian"),
            "storm of commands": self.storm,
            "kill during up": self.during_up,
            "kill during down": self.during_down,
            "no descriptors left": self.without_descriptors,
            "garbage on the socket": self.garbage,
            "journal lost": self.lose_journal,
        }
        return found | ({"full disk": self.fill} if self._small else {})

    def _pids(self, what: str) -> list[int]:
        found = checker.processes(self._machine.folder)
        if what == "unit":
            those = [process.pid for process in found if process.unit in self._units and process.is_opened]
            return self._chance.sample(sorted(those), min(1, len(those)))
        guardians, supervisors = checker.daemons(found)
        return [process.pid for process in (guardians if what == "guardian" else supervisors)]

    def _signal(self, what: str, number: signal.Signals) -> list[int]:
        pids = self._pids(what)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        self.said.append(f"{number.name} to {what} {pids}")
        return pids

    def _moment(self, longest: float = 0.5) -> None:
        time.sleep(self._chance.choice((0.0, self._chance.uniform(0, 0.03), self._chance.uniform(0, longest))))

    def kill_units(self) -> None:
        for _ in range(self._chance.randint(1, 6)):
            self._signal("unit", signal.SIGKILL)
            self._moment(0.2)

    def kill(self, *victims: str) -> None:
        for what in victims:
            self._signal(what, signal.SIGKILL)
        self._moment()
        if len(victims) > 1:
            self.up()

    def kill_everything(self) -> None:
        found = checker.processes(self._machine.folder)
        for process in self._chance.sample(found, len(found)):
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        self.said.append(f"SIGKILL to {[process.pid for process in found]}")
        self.up()

    def kill_in_turn(self) -> None:
        for _ in range(self._chance.randint(2, 8)):
            self._signal(self._chance.choice(("unit", "supervisor", "supervisor")), signal.SIGKILL)
            self._moment(0.3)

    def freeze(self, what: str) -> None:
        frozen = self._signal(what, signal.SIGSTOP)
        begun = [self._machine.begin("status", "s")] if self._chance.random() < 0.5 else []
        if self._chance.random() < 0.5:
            self._signal("unit", signal.SIGKILL)
        time.sleep(self._chance.uniform(0, 2.5))
        for pid in frozen:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self._end(begun)

    def storm(self) -> None:
        unit = self._chance.choice(self._units)
        words: list[tuple[str | Path, ...]] = [
            ("up", self._machine.file),
            ("up", self._machine.file),
            ("down", "s"),
            ("restart", unit),
            ("stop", unit),
            ("start", unit),
            self._chance.choice(_TELL),
        ]
        begun = []
        for chosen in self._chance.sample(words, self._chance.randint(3, len(words))):
            begun.append(self._machine.begin(*chosen))
            self._moment(0.4)
        if self._chance.random() < 0.3:
            self._signal("supervisor", signal.SIGKILL)
        self._end(begun)
        self.up()

    def during_up(self) -> None:
        self._end([self._machine.begin("down", "s")])
        begun = self._machine.begin("up", self._machine.file)
        time.sleep(self._chance.uniform(0.2, 1.6))
        self._strike()
        self._end([begun])
        self.up()

    def during_down(self) -> None:
        begun = self._machine.begin("down", "s")
        time.sleep(self._chance.uniform(0.1, 0.8))
        self._strike()
        self._end([begun])
        self._end([self._machine.begin("down", "s")])
        self.said += [f"after down: {left}" for left in checker.remains(self._machine.folder, 20)]
        self.up()

    def _strike(self) -> None:
        for what in self._chance.choice((("unit",), ("supervisor",), ("guardian",), ("guardian", "supervisor"))):
            self._signal(what, signal.SIGKILL)

    def without_descriptors(self) -> None:
        limits = {}
        for pid in self._pids("supervisor"):
            with suppress(OSError):
                limits[pid] = resource.prlimit(pid, resource.RLIMIT_NOFILE)
                highest = max(int(entry.name) for entry in os.scandir(f"/proc/{pid}/fd"))
                few = highest + self._chance.randint(1, 4)
                resource.prlimit(pid, resource.RLIMIT_NOFILE, (few, limits[pid][1]))
                self.said.append(f"supervisor {pid} may open {few} descriptors")
        for _ in range(self._chance.randint(1, 3)):
            self._signal("unit", signal.SIGKILL)
            self._moment(0.3)
        self._end([self._machine.begin("status", "s")])
        for pid, limit in limits.items():
            with suppress(OSError):
                resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)

    def garbage(self) -> None:
        for _ in range(self._chance.randint(1, 10)):
            text = self._chance.choice((*_GARBAGE, self._chance.randbytes(self._chance.randint(1, 5000))))
            with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(1)
                connection.connect(str(self._machine.runtime / "control.sock"))
                connection.sendall(text)
                if self._chance.random() < 0.5:
                    connection.recv(100)
        self._signal("unit", signal.SIGKILL)

    def lose_journal(self) -> None:
        files = sorted(self._machine.state.glob("journal.db*"))
        lost = self._chance.choice(("deleted", "overwritten", "cut"))
        for file in files:
            with suppress(OSError):
                if lost == "deleted":
                    file.unlink()
                elif lost == "cut":
                    os.truncate(file, file.stat().st_size // 2)
                else:
                    with file.open("r+b") as open_file:
                        open_file.write(self._chance.randbytes(5000))
        self.said.append(f"journal {lost}")
        self._signal("unit", signal.SIGKILL)
        self._moment()
        self._signal("supervisor", signal.SIGKILL)

    def fill(self) -> None:
        place = self._chance.choice(self._small)
        self.filled = True
        ballast = place / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        self.said.append(f"{place} is full, {shutil.disk_usage(place).free} bytes are free")
        self._signal(self._chance.choice(("unit", "supervisor")), signal.SIGKILL)
        self._moment(2)
        ballast.unlink()
        self.up()

    def up(self) -> None:
        """Bring all of it up; it has to succeed: whatever was, this is what an operator does about it."""
        running = self._machine.begin("up", self._machine.file)
        self._end([running])
        if (code := running.process.returncode) != 0:
            self.said.append(f"wrong: up exits {code}: {running.told()}")

    def _end(self, begun: list[Running]) -> None:
        for running in begun:
            done = running.done(90)
            self.said.append(f"{running.words}: exit {done.code}")
            if "Traceback" in done.said:
                self.said.append(f"wrong: a traceback: {done.said}")
            if done.code not in _CODES and _UNBORN not in done.err:
                self.said.append(f"wrong: exit {done.code}: {done.said}")

    def wrong(self) -> list[str]:
        """Return what commands said that they must not."""
        return [text for text in self.said if text.startswith(("wrong: ", "after down: "))]
