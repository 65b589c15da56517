"""What supervising takes in memory: the proportional set size of a supervisor of 50 units, and of its guardian.

Shared pages count by their users (smaps_rollup, Pss), so the figure hangs on who else runs: the same processes in each
round, among them a bare interpreter, which is what the guardian is held against. Anonymous memory does not hang on it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median
from typing import TYPE_CHECKING, Final

from bench import ground, options, processor, stackfiles
from bench.fifo import Starts
from bench.hftstack import installed
from bench.peers import Supervisord, available
from bench.report import BYTES, Report
from bench.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.hftstack import Hftstack

_SETTLED: Final = 2.0
_PATIENCE: Final = 60.0
_STACK: Final = "memory"


class _Row:
    """One process of each round."""

    def __init__(self, name: str, start: Callable[[], int]) -> None:
        self.name = name
        self.start = start
        self._taken: list[int] = []
        self._anonymous: list[int] = []

    def measure(self, pid: int) -> None:
        self._taken.append(processor.proportional(pid))
        self._anonymous.append(processor.anonymous(pid))

    def sample(self) -> Sample:
        return Sample(self.name, tuple(self._taken), f"{median(self._anonymous) / 2**20:.1f} of it anonymous")


def bare() -> int:
    """Start an interpreter that only sleeps."""
    return subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(100000)"]).pid


def rows(hftstack: Hftstack, file: Path, peer: Callable[[], int] | None) -> list[_Row]:
    """Return what is measured, in the order in which it is started."""

    def supervisor() -> int:
        hftstack.run("up", file)
        return hftstack.supervisor(_STACK)

    found = [
        _Row("supervisor", supervisor),
        _Row("guardian", lambda: hftstack.guardian(_STACK)),
        _Row("python -S", bare),
    ]
    return [*found, *([] if peer is None else [_Row("supervisord", peer)])]


def main() -> None:
    """Run the bench."""
    parser = options.parser("bench.memory", __doc__, n=5)
    parser.add_argument("--units", type=int, default=50, help="default 50")
    options.add_peers(parser)
    chosen = parser.parse_args()
    ground.seclude("bench.memory")
    peers, missing = available(() if chosen.no_peers else (Supervisord,))
    with ground.Ground() as place:
        starts = Starts(place.folder("programs"))
        names = [f"unit{number}" for number in range(chosen.units)]
        units = {name: {"command": [str(starts.program)]} for name in names}
        file = stackfiles.write(place.folder("hftstack"), _STACK, {"services": units})

        def supervisord() -> int:
            folder = place.path / f"supervisord{time.monotonic_ns()}"
            return Supervisord(folder, dict.fromkeys(names, starts.program)).start()[0]

        measured = rows(installed(place.path / "home"), file, supervisord if peers else None)
        programs = chosen.units * (1 + len(peers))
        for _ in range(chosen.n):
            pids = [row.start() for row in measured]
            for _ in range(programs):
                starts.next(_PATIENCE)
            time.sleep(_SETTLED)
            for row, pid in zip(measured, pids, strict=True):
                row.measure(pid)
            ground.sweep()
            starts.told()
    samples = tuple(row.sample() for row in measured)
    Report(f"memory of what supervises {chosen.units} programs", samples, tuple(missing), unit=BYTES).show(
        chosen.format
    )


if __name__ == "__main__":
    main()
