"""Connector and bot are started from nothing: does the bot have data within 5 s?

hftstack: `up` of the paper stack, exchange included, then `down`; shared memory is cleaned before each start. The time
is from the command to the bot's first tick. Peers that know no readiness start connector and bot together, ten times,
beside an exchange that runs already.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from typing import TYPE_CHECKING

from bench import ground, options, programs, stackfiles
from bench.hftstack import CommandError, installed
from bench.peers import PEERS, Peer, available
from bench.report import Report
from bench.sample import counted
from bench.ticks import first_tick
from bench.waiting import NotSeenError

if TYPE_CHECKING:
    from pathlib import Path

    from bench.programs import Programs

_WITHIN = 5.0
_PEERS_N = 10


def under_hftstack(place: ground.Ground, found: Programs) -> float | None:
    """Return the seconds of one cold start, None for a bot without data."""
    folder = place.folder("cold")
    place.clean_channels(folder)
    hftstack = installed(place.path / "home")
    file = stackfiles.paper(folder, "cold", found, port=programs.free_port())
    hftstack.prepare("cold", found)
    begun = time.time_ns()
    try:
        hftstack.run("up", "--no-build", file)
        at = first_tick(hftstack.stack("cold").logs / stackfiles.BOT, begun, _left(begun))
    except (CommandError, NotSeenError):
        return None
    finally:
        hftstack.run("down", "cold", allowed=(0, 5))
        ground.reap()
    return (at - begun) / 1e9


def under_peer(place: ground.Ground, found: Programs, kind: type[Peer]) -> float | None:
    """Return the seconds of one cold start, None for a bot without data."""
    folder = place.folder(kind.__name__)
    port = programs.free_port()
    config = found.write_config(folder, port)
    scripts = {
        "connector": _script(folder, "connector", found.connector_command(config)),
        "bot": _script(folder, "bot", found.bot_command()),
    }
    exchange = subprocess.Popen(found.exchange_command(port), cwd=folder, stdout=subprocess.PIPE)
    assert exchange.stdout is not None
    exchange.stdout.readline()
    peer = kind(folder / "run", scripts)
    begun = time.time_ns()
    try:
        peer.start()
        return (first_tick(folder / "bot", begun, _WITHIN) - begun) / 1e9
    except NotSeenError:
        return None
    finally:
        peer.stop()
        exchange.kill()
        exchange.wait()
        ground.sweep()
        place.clean_channels(folder)
        shutil.rmtree(folder)


def _script(folder: Path, name: str, command: list[str]) -> Path:
    """Write a program that runs a command in the folder, with a log a start."""
    (folder / name).mkdir()
    path = folder / f"{name}.sh"
    path.write_text(f"#!/bin/sh\ncd {folder}\nexec {' '.join(command)} >{name}/$$.log 2>&1\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def _left(begun: int) -> float:
    return max(0.0, _WITHIN - (time.time_ns() - begun) / 1e9)


def main() -> None:
    """Run the bench."""
    parser = options.parser("bench.cold_start", __doc__, n=50)
    options.add_programs(parser)
    options.add_peers(parser)
    chosen = parser.parse_args()
    found = programs.find(chosen.connector, chosen.rate)
    ground.seclude("bench.cold_start")
    peers, missing = available(() if chosen.no_peers else PEERS)
    mine: list[float | None] = []
    others: dict[type[Peer], list[float | None]] = {peer: [] for peer in peers}
    with ground.Ground() as place:
        for number in range(chosen.n):
            mine.append(under_hftstack(place, found))
            if number < _PEERS_N:
                for peer, outcomes in others.items():
                    outcomes.append(under_peer(place, found, peer))
    samples = [counted("hftstack", mine, "have data")]
    samples += [counted(peer.name, outcomes, "have data") for peer, outcomes in others.items()]
    Report("cold start -> bot has data", tuple(samples), tuple(missing), compared=False).show(chosen.format)


if __name__ == "__main__":
    main()
