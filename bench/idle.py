"""What supervising costs while nothing happens: clock ticks that a supervisor of 50 bots runs in ten seconds.

The bots sleep and hang on no connector, so there is no channel to look at. A tick is what `ps` and `top` count in,
a hundredth of a second as a rule. All supervisors run side by side, each with 50 programs of its own.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from bench import ground, options, processor, stackfiles
from bench.fifo import Starts
from bench.hftstack import installed
from bench.peers import PEERS, Peer, available
from bench.report import TICKS, Report
from bench.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Sequence

_SETTLED: Final = 5.0
_PATIENCE: Final = 60.0
_STACK: Final = "idle"


def mine(place: ground.Ground, count: int) -> tuple[int, int]:
    """Bring the bots up; returns the pids of supervisor and guardian."""
    starts = Starts(place.folder("hftstack"))
    bots = {f"bot{number}": {"command": [str(starts.program)]} for number in range(count)}
    hftstack = installed(place.path / "home")
    hftstack.run("up", stackfiles.write(place.folder("hftstack"), _STACK, {"bots": bots}))
    return hftstack.supervisor(_STACK), hftstack.guardian(_STACK)


def theirs(place: ground.Ground, count: int, kind: type[Peer]) -> list[int]:
    """Start a peer; returns the pids of its processes when all programs run."""
    starts = Starts(place.folder(kind.__name__))
    programs = {f"bot{number}": starts.program for number in range(count)}
    pids = kind(place.path / kind.__name__ / "run", programs).start()
    for _ in range(count):
        starts.next(_PATIENCE)
    return pids


def watched(groups: Sequence[Sequence[int]], n: int, seconds: float) -> list[list[int]]:
    """Return the ticks of each group of processes in each of `n` windows."""
    found: list[list[int]] = [[] for _ in groups]
    for _ in range(n):
        before = [sum(map(processor.ticks, pids)) for pids in groups]
        time.sleep(seconds)
        for column, pids, ticks in zip(found, groups, before, strict=True):
            column.append(sum(map(processor.ticks, pids)) - ticks)
    return found


def main() -> None:
    """Run the bench."""
    parser = options.parser("bench.idle", __doc__, n=3)
    parser.add_argument("--bots", type=int, default=50, help="default 50")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each window (default 10)")
    options.add_peers(parser)
    chosen = parser.parse_args()
    ground.seclude("bench.idle")
    peers, missing = available(() if chosen.no_peers else PEERS)
    with ground.Ground() as place:
        supervisor, guardian = mine(place, chosen.bots)
        names = ["supervisor", "guardian", *(kind.name for kind in peers)]
        groups = [[supervisor], [guardian], *(theirs(place, chosen.bots, kind) for kind in peers)]
        time.sleep(_SETTLED)
        columns = watched(groups, chosen.n, chosen.seconds)
    samples = tuple(Sample(name, tuple(column)) for name, column in zip(names, columns, strict=True))
    title = f"{chosen.bots} bots at rest, processor time in {chosen.seconds:g} s"
    Report(title, samples, tuple(missing), compared=False, unit=TICKS).show(chosen.format)


if __name__ == "__main__":
    main()
