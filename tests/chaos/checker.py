"""What runs of one stack, read from /proc and from the bots' own output; nothing of hftstack's code is used."""

from __future__ import annotations

import os
import re
import stat
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_TICK: Final = re.compile(r"^tick (\S+?)(?: .*)?[ =](\d+)$", re.MULTILINE)
_TAIL: Final = 16384
_LOOK: Final = 0.05


@dataclass(frozen=True)
class Process:
    """A process that has not ended; `start` in clock ticks since the boot tells it from a later one of the same pid."""

    pid: int
    start: int
    parent: int
    unit: str | None
    """The unit whose main process it is: its marker names its own pid."""
    is_opened: bool
    """It has passed the gate: the gate's shell has a pipe for stdin, a unit /dev/null."""
    command: str

    def still(self) -> bool:
        return _stat(self.pid) == (self.start, self.parent)


def processes(folder: Path) -> list[Process]:
    """Return every process that has to do with a folder, by command line, environment or working directory."""
    needle = os.fsencode(folder)
    found = []
    for entry in os.scandir("/proc"):
        name, place = entry.name, Path(entry.path)
        if not name.isdecimal():
            continue
        try:
            command, environ = (place / "cmdline").read_bytes(), (place / "environ").read_bytes()
            if needle not in command and needle not in environ:
                continue
            stdin = os.readlink(place / "fd/0")  # noqa: PTH115 - a pipe is no path
            at = _stat(int(name))
        except OSError:
            continue
        if at is not None:
            text = command.replace(b"\0", b" ").decode(errors="replace")
            found.append(Process(int(name), *at, _unit(environ, name), stdin == os.devnull, text))
    return found


def _stat(pid: int) -> tuple[int, int] | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else (int(fields[19]), int(fields[1]))


def _unit(environ: bytes, pid: str) -> str | None:
    for item in environ.split(b"\0"):
        if item.startswith(b"HFTSTACK_UNIT="):
            words = item.decode(errors="replace").split("/")
            return words[3] if words[-1] == pid else None
    return None


def daemons(found: Sequence[Process]) -> tuple[list[Process], list[Process]]:
    """Return the guardians and the supervisors: one program, the one being the other's parent."""
    those = [process for process in found if "/supervise/boot.py " in process.command and process.unit is None]
    pids = {process.pid for process in those}
    return [p for p in those if p.parent not in pids], [p for p in those if p.parent in pids]


class Witness:
    """Looks again and again, in a thread, whether a unit runs twice at one moment."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.looks = 0
        self.twice: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(_LOOK):
            self.twice += twice(processes(self._folder))
            self.looks += 1


def twice(found: Sequence[Process]) -> list[str]:
    """Return the units of which two processes are past their gates, both still there after the look at the other."""
    by_unit: dict[str, list[Process]] = {}
    for process in found:
        if process.unit is not None and process.is_opened:
            by_unit.setdefault(process.unit, []).append(process)
    doubled = {unit: [p.pid for p in those if p.still()] for unit, those in by_unit.items() if len(those) > 1}
    return [f"{unit} runs more than once: {pids}" for unit, pids in doubled.items() if len(pids) > 1]


class Outcome:
    """Looks at a stack until it is as wanted. `bots` are those wanted, with the connectors each has to hear."""

    def __init__(
        self,
        folder: Path,
        wanted: Sequence[str],
        bots: Mapping[str, Sequence[str]],
        told: Callable[[], Mapping[str, int | None]],
    ) -> None:
        """Prepare; `told` is what `status` says of the units' pids."""
        self._folder = folder
        self._wanted = sorted(wanted)
        self._bots = {bot: feeds for bot, feeds in bots.items() if bot in wanted}
        self._told = told
        self._counts: dict[tuple[int, str], int] = {}
        self._fresh: set[tuple[int, str]] = set()

    def settle(self, seconds: float) -> list[str]:
        """Return what is still wrong after so many seconds; nothing as soon as all is well."""
        deadline = time.monotonic() + seconds
        while (wrong := self.wrong()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return wrong

    def wrong(self) -> list[str]:
        """Return what is not as wanted now."""
        found = processes(self._folder)
        running: dict[str, list[int]] = {}
        for process in found:
            if process.unit is not None and process.is_opened:
                running.setdefault(process.unit, []).append(process.pid)
        wrong = [f"{unit}: {running.get(unit, [])} run" for unit in self._wanted if len(running.get(unit, [])) != 1]
        wrong += [f"{unit}: {running[unit]} run, wanted is none" for unit in running if unit not in self._wanted]
        guardians, supervisors = daemons(found)
        if (len(guardians), len(supervisors)) != (1, 1):
            wrong.append(f"guardians {[p.pid for p in guardians]}, supervisors {[p.pid for p in supervisors]}")
        wrong += [f"{unit} ({pid}) has no log" for unit, pids in running.items() for pid in pids if not _has_log(pid)]
        wrong += self._blind(running)
        if not wrong:
            said = {unit: pid for unit, pid in self._told().items() if pid is not None}
            seen = {unit: pids[0] for unit, pids in running.items()}
            if said != seen:
                wrong.append(f"status says {said}, there are {seen}")
        return wrong

    def _blind(self, running: Mapping[str, Sequence[int]]) -> list[str]:
        """Return the bots that did not count messages of each of their connectors since an earlier look.

        Freshness holds for a pair of processes: a bot, and the connector that it has heard from since both run.
        """
        blind = []
        for bot, feeds in self._bots.items():
            for pid in running.get(bot, ())[:1]:
                heard = _heard(pid)
                for feed in feeds:
                    key = (pid, f"{feed} {running.get(feed)}")
                    if feed in heard and heard[feed] > self._counts.setdefault(key, heard[feed]):
                        self._fresh.add(key)
                    if key not in self._fresh:
                        blind.append(f"{bot} ({pid}) hears nothing of {feed}: {heard.get(feed)}")
        return blind


def _has_log(pid: int) -> bool:
    with suppress(OSError):
        return stat.S_ISREG(Path(f"/proc/{pid}/fd/1").stat().st_mode)
    return True


def _heard(pid: int) -> dict[str, int]:
    """Return connector -> messages so far, from the last lines of a bot's output."""
    try:
        with Path(f"/proc/{pid}/fd/1").open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL))
            tail = log.read().decode(errors="replace")
    except OSError:
        return {}
    return {name: int(count) for name, count in _TICK.findall(tail)}


def remains(folder: Path, seconds: float) -> list[str]:
    """Return what a stack that is down has left: processes, and its iceoryx2's files in /dev/shm."""
    deadline = time.monotonic() + seconds
    while True:
        left = [f"{process.pid} {process.command}" for process in processes(folder)]
        if not left or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    prefix = ""
    with suppress(OSError):
        text = (folder / "config/iceoryx2.toml").read_text(encoding="utf-8")
        prefix = text.partition('\nprefix = "')[2].partition('"')[0]
    memory = [file.name for file in Path("/dev/shm").glob(f"{prefix}*") if file.suffix != ".global_mgmt"]
    return left + (memory if prefix else [])
