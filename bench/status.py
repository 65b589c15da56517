"""`hftstack status` on a running stack, against what no Python program that uses click can do without: importing it.

Both run in the project's environment, in turns, beside a bare interpreter and `supervisorctl status`.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from bench import ground, options, stackfiles
from bench.hftstack import installed
from bench.peers import Supervisord
from bench.report import Report
from bench.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def timed(command: Sequence[str], environ: dict[str, str]) -> float:
    """Return the seconds that a command takes; it must succeed."""
    begun = time.monotonic()
    subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.monotonic() - begun


def in_turn(rows: Sequence[tuple[str, Sequence[str], dict[str, str]]], n: int) -> tuple[Sample, ...]:
    """Time commands in turns, each `n` times; a row is a name, a command and its environment."""
    seconds: list[list[float]] = [[] for _ in rows]
    for _ in range(n):
        for column, (_, command, environ) in zip(seconds, rows, strict=True):
            column.append(timed(command, environ))
    return tuple(Sample(row[0], tuple(column)) for row, column in zip(rows, seconds, strict=True))


def demo(folder: Path) -> Path:
    """Write a stack of three units: two simulated connectors and a bot, or services where the simulator is missing."""
    if importlib.util.find_spec("iceoryx2") is None:
        sleep = {"command": ["sleep", "100000"]}
        return stackfiles.write(folder, "status", {"services": {"a": sleep, "b": sleep, "c": sleep}})
    cwd = {"cwd": str(folder)}
    connector = {"type": "sim", "config": {"rate": 50, "symbols": ["btcusdt"]}, **cwd}
    bot = {"type": "sim", "depends_on": ["a", "b"], "stop": {"grace": "2s"}, **cwd}
    return stackfiles.write(folder, "status", {"connectors": {"a": connector, "b": connector}, "bots": {"c": bot}})


def main() -> None:
    """Run the bench."""
    parser = options.parser("bench.status", __doc__, n=30)
    options.add_peers(parser)
    chosen = parser.parse_args()
    ground.seclude("bench.status")
    notes = []
    with ground.Ground() as place:
        hftstack = installed(place.path / "home")
        hftstack.run("up", demo(place.folder("demo")))
        python = dict(os.environ)
        rows: list[tuple[str, Sequence[str], dict[str, str]]] = [
            ("hftstack status", (*hftstack.command, "status"), hftstack.environ),
            ('python -c "import click"', (sys.executable, "-c", "import click"), python),
            ("python -c pass", (sys.executable, "-c", "pass"), python),
        ]
        if not chosen.no_peers and Supervisord.path() is None:
            notes.append(f"supervisorctl is not measured: {Supervisord.install}")
        elif not chosen.no_peers:
            peer = Supervisord(place.folder("peer") / "run", {name: _sleep(place.path, name) for name in "abc"})
            peer.start()
            rows.append(("supervisorctl status", (*peer.control(), "status"), python))
        samples = in_turn(rows, chosen.n)
        hftstack.run("down", allowed=(0, 5))
    Report("status", samples, tuple(notes)).show(chosen.format)


def _sleep(folder: Path, name: str) -> Path:
    path = folder / f"{name}.sh"
    path.write_text("#!/bin/sh\nexec sleep 100000\n", encoding="utf-8")
    path.chmod(0o755)
    return path


if __name__ == "__main__":
    main()
