"""Fifty plain programs: how long from the supervisor's start until all of them run?

As after a boot: everything is configured, nothing runs, and the supervisor is what is started. Each program is a shell
that writes its pid into a FIFO and becomes `sleep`; the time is from just before the supervisor is executed to the last
line. In turns, each from scratch; nothing of the others runs meanwhile.
"""

from __future__ import annotations

import functools
import itertools
import shutil
import time
from typing import TYPE_CHECKING, Final

from bench import ground, options, stackfiles
from bench.fifo import Starts
from bench.hftstack import installed
from bench.peers import Circus, Dinit, Peer, Runsvdir, S6Svscan, Supervisord, available
from bench.report import Report
from bench.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Callable

_PEERS: Final = (Dinit, S6Svscan, Runsvdir, Supervisord, Circus)
_STACK: Final = "fifty"
_PATIENCE: Final = 60.0


class _Turn:
    """One supervisor; `prepare` puts things as they are after a boot and returns what starts it."""

    def __init__(self, name: str, starts: Starts, count: int, prepare: Callable[[], Callable[[], object]]) -> None:
        self.name = name
        self.seconds: list[float] = []
        self._starts = starts
        self._count = count
        self._prepare = prepare

    def measure(self) -> None:
        """Start it, time its programs, and end all."""
        start = self._prepare()
        begun = time.monotonic()
        start()
        last = [self._starts.next(_PATIENCE) for _ in range(self._count)][-1]
        self.seconds.append(last.at - begun)
        ground.sweep()
        self._starts.told()  # what a supervisor started that was swept up after its programs


def mine(place: ground.Ground, count: int) -> _Turn:
    """Deploy the units, and end them with their supervisor as a power cut would."""
    folder = place.folder("hftstack")
    starts = Starts(folder)
    hftstack = installed(place.path / "home")
    units = {f"unit{number}": {"command": [str(starts.program)]} for number in range(count)}
    hftstack.run("up", stackfiles.write(folder, _STACK, {"services": units}))
    for _ in range(count):
        starts.next(_PATIENCE)
    ground.sweep()
    starts.told()

    def boot() -> Callable[[], object]:
        shutil.rmtree(hftstack.stack(_STACK).runtime)
        return functools.partial(hftstack.supervised, _STACK)

    return _Turn("hftstack", starts, count, boot)


def theirs(place: ground.Ground, count: int, kind: type[Peer]) -> _Turn:
    """Prepare a peer."""
    starts = Starts(place.folder(kind.__name__))
    programs = {f"unit{number}": starts.program for number in range(count)}
    rounds = itertools.count()

    def boot() -> Callable[[], object]:
        peer = kind(place.path / kind.__name__ / f"run{next(rounds)}", programs)
        peer.prepare()
        return peer.start

    return _Turn(kind.name, starts, count, boot)


def main() -> None:
    """Run the bench."""
    parser = options.parser("bench.fifty", __doc__, n=10)
    parser.add_argument("--units", type=int, default=50, help="default 50")
    options.add_peers(parser)
    chosen = parser.parse_args()
    ground.seclude("bench.fifty")
    peers, missing = available(() if chosen.no_peers else _PEERS)
    with ground.Ground() as place:
        turns = [mine(place, chosen.units), *(theirs(place, chosen.units, kind) for kind in peers)]
        for _ in range(chosen.n):
            for turn in turns:
                turn.measure()
    samples = tuple(Sample(turn.name, tuple(turn.seconds)) for turn in turns)
    Report(f"{chosen.units} plain programs up, from the supervisor's start", samples, tuple(missing)).show(
        chosen.format
    )


if __name__ == "__main__":
    main()
