"""What a fault has at hand: the round's machine and stack, its own chance, and a place to say what it did."""

from __future__ import annotations

import os
import shutil
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.chaos import checker

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

    from tests.chaos.clock import Clocks
    from tests.chaos.stacks import Stack
    from tests.integration.harness import Machine, Running

DISK: Final = Path("/tmp")
MEMORY: Final = Path("/dev/shm")
_SMALL: Final = 64 << 20
"""Bytes of a file system that may be filled: nobody else's work is on one so small."""

CODES: Final = {0, 5, 7}
"""Exit codes that a command may have in the middle of a fault: done, not reached, refused."""

_ENDS_WITHIN: Final = 90.0
_GONE_WITHIN: Final = 20.0


class NotHereError(Exception):
    """Raised when this machine cannot play a fault; the message says what it lacks."""


@dataclass
class Ground:
    """One round on one machine. `chance` is the fault's own: what it draws changes nothing for the next one."""

    machine: Machine
    stack: Stack
    chance: random.Random
    clocks: Clocks | None
    said: list[str] = field(default_factory=list)
    _left: set[str] = field(default_factory=set)
    filled: bool = False
    """A disk was full: old output may have been given up for new."""

    def wrong(self) -> list[str]:
        """Return what was said that must not be."""
        return [text for text in self.said if text.startswith("wrong: ")]

    # Who is hit

    def pids(self, who: str) -> list[int]:
        """Return the processes of a unit, or of those who are the `guardian` or the `supervisor`."""
        found = checker.processes(self.machine.folder)
        if who in self.stack.units:
            return [process.pid for process in found if process.unit == who and process.is_opened]
        guardians, supervisors = checker.daemons(found)
        return [process.pid for process in (guardians if who == "guardian" else supervisors)]

    def unit(self, among: Iterable[str] = ()) -> str:
        """Draw a unit by name: which processes there are is not for chance to say."""
        return self.chance.choice(sorted(among or self.stack.units))

    def signal(self, number: signal.Signals, *whom: str) -> list[int]:
        """Send a signal to all of them at once; returns the pids."""
        found = {who: self.pids(who) for who in whom}
        pids = [pid for those in found.values() for pid in those]
        for pid in pids:
            send(pid, number)
        self.said += [f"{number.name} to {who} {those}" for who, those in found.items()]
        return pids

    def kill(self, *whom: str) -> list[int]:
        """Send SIGKILL to all of them at once; returns the pids."""
        return self.signal(signal.SIGKILL, *whom)

    def moment(self, longest: float = 0.5) -> None:
        """Let a moment pass, often a very short one."""
        time.sleep(self.chance.choice((0.0, self.chance.uniform(0, 0.03), self.chance.uniform(0, longest))))

    def remains(self) -> list[str]:
        """Return what a stack that is down has left.

        The real connector may end, as upstream's, by a panic, and then its files stay: its next start has to remove
        them, which `outlived` looks for.
        """
        left = checker.remains(self.machine.folder, _GONE_WITHIN)
        files = [name for name in left if self.stack.port and (MEMORY / name).exists()]
        self._left.update(files)
        return [text for text in left if text not in files]

    def outlived(self) -> list[str]:
        """Return the data of ports of an earlier life that are still there: their names are never used again."""
        return [
            f"{name} is left for ever" for name in self._left if name.endswith(".data") and (MEMORY / name).exists()
        ]

    # Commands

    def begin(self, *words: str | Path) -> Running:
        """Start a command of hftstack's."""
        return self.machine.begin(*words)

    def begin_up(self) -> Running:
        """Start an `up` of the whole stack."""
        return self.begin("up", *self.stack.up, self.machine.file)

    def end(self, *begun: Running) -> None:
        """Wait for commands, and hold that each ended as one may in the midst of a fault."""
        for running in begun:
            done = running.done(_ENDS_WITHIN)
            self.said.append(f"{running.words}: exit {done.code}")
            if done.code not in CODES or "Traceback" in done.said:
                self.said.append(f"wrong: exit {done.code}: {done.said}")

    def up(self) -> None:
        """Bring all of it up; it has to succeed: whatever was, this is what an operator does about it."""
        running = self.begin_up()
        self.end(running)
        if (code := running.process.returncode) != 0:
            self.said.append(f"wrong: up exits {code}: {running.told()}")

    def may_fill(self, place: Path) -> None:
        """Raise NotHereError unless a file system is small, and so this round's alone."""
        if shutil.disk_usage(place).total > _SMALL:
            raise NotHereError(f"{place} is no small file system of its own, which needs root")

    def fill(self, place: Path) -> Path:
        """Leave no byte of a file system free. Returns the file that takes the room."""
        ballast = place / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        self.said.append(f"{place} is full, {shutil.disk_usage(place).free} bytes are free")
        return ballast


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to what may have ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
