"""A plain process is killed with SIGKILL: how long until it runs again?

The program is a shell that writes its pid into a FIFO and becomes `sleep`; the time is from just before the kill to
that line. Every supervisor runs all the time, and they are killed turn by turn, each after its program has been up for
1.5 s, for all of them treat a program that ends in its first second as one that cannot start.
"""

from __future__ import annotations

import os
import signal
import time

from bench import ground, options, stackfiles
from bench.fifo import Start, Starts
from bench.hftstack import installed
from bench.peers import PEERS, Peer, available
from bench.report import Report
from bench.sample import Sample

_SETTLED = 1.5
_PATIENCE = 30.0


class _Turn:
    """One supervised program."""

    def __init__(self, name: str, starts: Starts) -> None:
        self.name = name
        self.seconds: list[float] = []
        self._starts = starts
        self._last: Start | None = None

    def settle(self) -> Start:
        """Return the program's start once it has been up for long enough."""
        self._last = last = self._last or self._starts.next(_PATIENCE)
        time.sleep(max(0.0, last.at + _SETTLED - time.monotonic()))
        return last

    def kill(self) -> None:
        """Kill the program and time its return."""
        last = self.settle()
        begun = time.monotonic()
        os.kill(last.pid, signal.SIGKILL)
        self._last = self._starts.next(_PATIENCE)
        self.seconds.append(self._last.at - begun)


def measure(place: ground.Ground, n: int, peers: list[type[Peer]]) -> list[Sample]:
    """Return hftstack's sample and then those of the peers."""
    mine = Starts(place.folder("hftstack"))
    hftstack = installed(place.path / "home")
    restart = {**stackfiles.ALWAYS, "stable": "1s"}
    unit = {"command": [str(mine.program)], "restart": restart}
    file = stackfiles.write(place.folder("hftstack"), "restart", {"services": {"sleep": unit}})
    hftstack.run("up", file)
    turns = [_Turn("hftstack", mine)]
    for kind in peers:
        starts = Starts(place.folder(kind.__name__))
        kind(place.path / kind.__name__ / "run", {"sleep": starts.program}).start()
        turns.append(_Turn(kind.name, starts))
    for turn in turns:
        turn.settle()
    for _ in range(n):
        for turn in turns:
            turn.kill()
    hftstack.run("down", "restart")
    return [Sample(turn.name, tuple(turn.seconds)) for turn in turns]


def main() -> None:
    """Run the bench."""
    parser = options.parser("bench.restart", __doc__, n=30)
    options.add_peers(parser)
    chosen = parser.parse_args()
    ground.seclude("bench.restart")
    peers, missing = available(() if chosen.no_peers else PEERS)
    with ground.Ground() as place:
        samples = measure(place, chosen.n, peers)
    Report("plain process killed -> running again", tuple(samples), tuple(missing)).show(chosen.format)


if __name__ == "__main__":
    main()
