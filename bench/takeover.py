"""The supervisor is killed with SIGKILL, and a unit with it: how long until one is back, and is all there once?

Two instants are taken: when `status` is answered again, and when the unit, of whose death only the next supervisor can
have heard, runs again. Afterwards every program that was ever started is looked for: more of them than units are
duplicates. Peers have nobody who starts them again; they are killed and started once, as a service manager would, for
the count of duplicates alone.
"""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from bench import ground, options, stackfiles
from bench.fifo import Starts
from bench.hftstack import installed
from bench.peers import PEERS, Peer, available
from bench.report import Report
from bench.sample import Sample
from bench.waiting import until
from orchestrator.control.client import Client
from orchestrator.errors import HftstackError
from orchestrator.supervise.process import identity

if TYPE_CHECKING:
    from pathlib import Path

    from bench.hftstack import Hftstack

_STACK: Final = "takeover"
_UNITS: Final = 10
_PATIENCE: Final = 30.0
_APART: Final = 3.5
"""Seconds from one death to the next: more than 20 in a minute make a guardian wait."""

_SETTLED: Final = 2.0


class Programs:
    """The programs of one supervisor, by every start that was told."""

    def __init__(self, starts: Starts) -> None:
        self.starts = starts
        self.pids: set[int] = set()

    def wait(self, count: int) -> None:
        """Wait for that many starts."""
        for _ in range(count):
            self.pids.add(self.starts.next(_PATIENCE).pid)

    def alive(self) -> set[int]:
        """Return those that run."""
        self.pids |= {start.pid for start in self.starts.told()}
        self.pids = {pid for pid in self.pids if identity(pid) is not None}
        return self.pids


def answers(socket: Path, dead: int) -> bool:
    """Tell whether another supervisor than the dead one answers `status`."""
    try:
        with Client(socket) as client:
            return int(client.call("status")["supervisor"]["pid"]) != dead
    except (HftstackError, OSError):
        return False


class _Turns:
    """The deaths of hftstack's supervisors."""

    def __init__(self, hftstack: Hftstack, programs: Programs) -> None:
        self.answered: list[float] = []
        self.ran: list[float] = []
        self.duplicates = 0
        self._hftstack = hftstack
        self._programs = programs

    def kill(self) -> None:
        """Kill supervisor and unit, and time their return."""
        supervisor = self._hftstack.supervisor(_STACK)
        victim = min(self._programs.alive())
        socket = self._hftstack.stack(_STACK).socket
        with ThreadPoolExecutor(1) as pool:
            begun = time.monotonic()
            os.kill(supervisor, signal.SIGKILL)
            os.kill(victim, signal.SIGKILL)
            start = pool.submit(self._programs.starts.next, _PATIENCE)
            until("an answer", lambda: answers(socket, supervisor), _PATIENCE, every=0.002)
            self.answered.append(time.monotonic() - begun)
            again = start.result()
        self.ran.append(again.at - begun)
        self._programs.pids.add(again.pid)
        time.sleep(max(0.0, begun + _APART - time.monotonic()))
        self.duplicates += max(0, len(self._programs.alive()) - _UNITS)


def mine(place: ground.Ground, n: int) -> tuple[Sample, Sample]:
    """Return what became of that many deaths."""
    folder = place.folder("hftstack")
    programs = Programs(Starts(folder))
    restart = {**stackfiles.ALWAYS, "stable": "1s"}
    unit = {"command": [str(programs.starts.program)], "restart": restart}
    hftstack = installed(place.path / "home")
    units = {f"unit{number}": unit for number in range(_UNITS)}
    hftstack.run("up", stackfiles.write(folder, _STACK, {"services": units}))
    programs.wait(_UNITS)
    time.sleep(_SETTLED)
    turns = _Turns(hftstack, programs)
    for _ in range(n):
        turns.kill()
    hftstack.run("down", _STACK)
    remark = f"{turns.duplicates} duplicates"
    return Sample("status answered", tuple(turns.answered), remark), Sample("killed unit runs again", tuple(turns.ran))


def duplicates(place: ground.Ground, kind: type[Peer]) -> int:
    """Kill a peer, start it again, and return how many of its programs run beyond one each."""
    programs = Programs(Starts(place.folder(kind.__name__)))
    named = {f"unit{number}": programs.starts.program for number in range(_UNITS)}
    peer = kind(place.path / kind.__name__ / "run", named)
    peer.start()
    programs.wait(_UNITS)
    time.sleep(_SETTLED)
    peer.stop()
    peer.start()
    time.sleep(_SETTLED)
    found = len(programs.alive()) - _UNITS
    peer.stop()
    return max(0, found)


def main() -> None:
    """Run the bench."""
    parser = options.parser("bench.takeover", __doc__, n=30)
    options.add_peers(parser)
    chosen = parser.parse_args()
    ground.seclude("bench.takeover")
    peers, notes = available(() if chosen.no_peers else PEERS)
    with ground.Ground() as place:
        samples = mine(place, chosen.n)
        for kind in peers:
            count = duplicates(place, kind)
            notes.append(f"{kind.name}, killed and started again: {count} duplicates of {_UNITS} programs")
    Report("supervisor killed -> supervision back", samples, tuple(notes), compared=False).show(chosen.format)


if __name__ == "__main__":
    main()
