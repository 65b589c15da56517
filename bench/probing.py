"""What it takes to probe many channels: the supervisor's processor time for each second.

The channels are genuine, with three bots each, at the default speeds: the fast path ten times a second, the full scan
once. All connectors live in one process and the bots in three, which changes nothing for the probe: each channel has
nodes, ports and connections of its own. The connectors are external ones of a stack, so the supervisor does nothing
but watch. A median of 20 ms is 2 % of a core.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench import ground, options, processor, stackfiles
from bench.hftstack import installed
from bench.report import Report
from bench.sample import Sample
from bench.waiting import until
from tests.isolation import iceoryx2_home

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.hftstack import Hftstack

_PATIENCE: Final = 600.0
_SETTLED: Final = 3
_BUFFER: Final = 100
"""Messages: shared memory for hundreds of bots; the probe's work does not depend on it."""

_REPOSITORY: Final = str(Path(__file__).resolve().parent.parent)


def gather(folder: Path, channels: Sequence[str], bots: int, rate: float) -> list[subprocess.Popen[bytes]]:
    """Open the channels and attach the bots; returns their processes, connectors first."""
    config = folder / "config/iceoryx2.toml"
    eager = "cleanup-dead-nodes-on-creation = true"
    text = config.read_text(encoding="utf-8")
    assert eager in text
    # each of hundreds of nodes would look at all others for dead ones
    config.write_text(text.replace(eager, eager.replace("true", "false")), encoding="utf-8")
    limits = folder / "channel.toml"
    limits.write_text(f"buffer_size = {_BUFFER}\nmax_bots = 200\n", encoding="utf-8")
    environ = {**os.environ, "HFTBACKTEST_CHANNEL_CONFIG": str(limits), "PYTHONPATH": _REPOSITORY}
    processes = []
    for number, side in enumerate(["connectors", *["bots"] * bots]):
        output = folder / f"{side}{number}.log"
        with output.open("wb") as file:
            command = (sys.executable, "-m", "bench.crowd", side, str(rate), *channels)
            processes.append(subprocess.Popen(command, cwd=folder, env=environ, stdout=file, stderr=file))
        until(f"{side} of {len(channels)} channels", lambda: "live" in output.read_text(), _PATIENCE)  # noqa: B023
    return processes


def supervise(hftstack: Hftstack, folder: Path, channels: Sequence[str]) -> int:
    """Bring up a stack that watches the channels; returns the supervisor's pid."""
    connector = {"type": "sim", "external": True, "cwd": str(folder), "health": {"startup": "60s"}}
    units = dict.fromkeys(channels, connector)
    hftstack.run("up", stackfiles.write(folder, "probing", {"connectors": units}))
    return hftstack.supervisor("probing")


def main() -> None:
    """Run the bench."""
    parser = options.parser("bench.probing", __doc__, n=60)
    parser.add_argument("--channels", type=int, default=100, help="default 100")
    parser.add_argument("--bots", type=int, default=3, help="on each channel (default 3)")
    parser.add_argument("--rate", type=float, default=10.0, help="messages a second on each channel (default 10)")
    chosen = parser.parse_args()
    ground.seclude("bench.probing")
    with ground.Ground() as place:
        folder = iceoryx2_home(place.folder("probing"))
        channels = [f"c{number}" for number in range(chosen.channels)]
        processes = gather(folder, channels, chosen.bots, chosen.rate)
        hftstack = installed(place.path / "home")
        supervisor = supervise(hftstack, folder, channels)
        processor.shares(supervisor, _SETTLED)
        seconds = processor.shares(supervisor, chosen.n)
        hftstack.run("down", "probing", "--force", allowed=(0, 5))
        for process in processes:
            process.send_signal(signal.SIGKILL)
            process.wait()
    share = sum(seconds) / len(seconds)
    sample = Sample(
        f"{chosen.channels} channels, {chosen.bots} bots each", seconds, f"{share:.1%} of a core; {len(seconds)} s"
    )
    Report("probing, processor time for each second", (sample,)).show(chosen.format)


if __name__ == "__main__":
    main()
