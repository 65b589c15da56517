"""A connector is killed with SIGKILL: how long until its bot, attached anew, sees the first new tick?

From just before the kill to the time that the bot prints with its first finite best bid and ask. The bots have no
grace. Beside it bench/bare.py does the same by hand. Blocks of ten crashes alternate between the two, so that neither
shares the machine with the other; between crashes half a second to one passes.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench import ground, options, programs, stackfiles
from bench.hftstack import installed
from bench.report import Report
from bench.sample import counted
from bench.ticks import first_tick
from bench.waiting import NotSeenError, until
from orchestrator.channel import Probe, locate, scan_nodes

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.programs import Programs

_BLOCK = 10
_PATIENCE = 20.0
_REPOSITORY = Path(__file__).resolve().parent.parent


def crashes(count: int, logs: Path, connector: Callable[[], int]) -> list[float | None]:
    """Kill the connector `count` times and return the seconds until the bot's first tick of each.

    None for a bot that stays blind; that ends the series, for nothing would heal it.
    """
    seconds: list[float | None] = []
    for _ in range(count):
        time.sleep(random.uniform(0.5, 1.0))  # noqa: S311 - spreads kills over the phases of what runs
        pid = connector()
        begun = time.time_ns()
        os.kill(pid, signal.SIGKILL)
        try:
            seconds.append((first_tick(logs, begun, _PATIENCE) - begun) / 1e9)
        except NotSeenError:
            return [*seconds, None]
    return seconds


def under_hftstack(place: ground.Ground, found: Programs, count: int) -> list[float | None]:
    """Return the seconds of `count` crashes under hftstack."""
    folder = place.folder("hftstack")
    hftstack = installed(place.path / "home")
    file = stackfiles.paper(folder, "tick", found, port=programs.free_port())
    hftstack.prepare("tick", found)
    begun = time.time_ns()
    hftstack.run("up", "--no-build", file)
    logs = hftstack.stack("tick").logs / stackfiles.BOT
    first_tick(logs, begun, _PATIENCE)
    seconds = crashes(count, logs, lambda: hftstack.pid("tick", programs.CONNECTOR))
    hftstack.run("down", "tick", allowed=(0, 5))
    place.clean_channels(folder)
    return seconds


def by_hand(place: ground.Ground, found: Programs, count: int) -> list[float | None]:
    """Return the seconds of `count` crashes under the bare script."""
    folder = place.folder("bare")
    port = programs.free_port()
    exchange = subprocess.Popen(found.exchange_command(port), cwd=folder, stdout=subprocess.PIPE)
    assert exchange.stdout is not None
    exchange.stdout.readline()
    config = found.write_config(folder, port)
    begun = time.time_ns()
    paths = ("--connector", found.connector, "--config", config, "--bot", found.bot, "--folder", folder)
    command = [sys.executable, "-m", "bench.bare", *map(str, paths), "--port", str(port)]
    script = subprocess.Popen(command, cwd=_REPOSITORY)
    first_tick(folder / "bot", begun, _PATIENCE)
    seconds = crashes(count, folder / "bot", lambda: _owner(folder))
    script.kill()
    script.wait()
    exchange.kill()
    exchange.wait()
    ground.sweep()
    place.clean_channels(folder)
    shutil.rmtree(folder)
    return seconds


def _owner(folder: Path) -> int:
    """Return the pid of the process that holds the connector's channel."""
    location = locate(folder, None)
    probe = Probe(location, programs.CONNECTOR)
    try:
        return until("connector", lambda: probe.scan(scan_nodes(location), pid=None).owner or 0, _PATIENCE)
    finally:
        probe.close()


def main() -> None:
    """Run the bench."""
    parser = options.parser("bench.first_tick", __doc__, n=50)
    options.add_programs(parser)
    chosen = parser.parse_args()
    found = programs.find(chosen.connector, chosen.rate)
    ground.seclude("bench.first_tick")
    mine: list[float | None] = []
    bare: list[float | None] = []
    with ground.Ground() as place:
        while len(mine) < chosen.n:
            mine += under_hftstack(place, found, min(_BLOCK, chosen.n - len(mine)))
            if len(bare) < chosen.n:
                bare += by_hand(place, found, min(_BLOCK, chosen.n - len(bare)))
    samples = (counted("hftstack", mine, "healed"), counted("bare script", bare, "healed"))
    Report(f"{found.connector.name} killed -> bot's first new tick", samples).show(chosen.format)


if __name__ == "__main__":
    main()
