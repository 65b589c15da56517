"""`hftstack up` of a stack that runs and has not changed: how much longer than cargo, which finds nothing to build?

In turns: `up` of the paper stack, built from source; the `cargo build` that it cannot do without; and the difference of
each such pair, which is what hftstack takes for itself.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from bench import ground, options, programs, stackfiles
from bench.hftstack import installed
from bench.report import Report
from bench.sample import Sample
from bench.status import timed
from tests import cargo

if TYPE_CHECKING:
    from pathlib import Path

_NAME: Final = "paper"
_BUILD: Final = ("build", "--release", "--locked", "-p", "exchange", "-p", "connector", "-p", "bot")


def stack(folder: Path, port: int) -> Path:
    """Write the paper stack as one that cargo builds, on a port of its own."""
    address = f"127.0.0.1:{port}"
    config = {"stream_url": f"ws://{address}/ws", "api_url": f"http://{address}"}
    services = {"exchange": {"package": "exchange", "args": ["--port", str(port)], "ready": {"tcp": address}}}
    connector = {"type": programs.TYPE, "config": config, "depends_on": ["exchange"]}
    bot = {"package": "bot", "args": [programs.CONNECTOR, programs.SYMBOL], "depends_on": [programs.CONNECTOR]}
    units = {
        "source": {"path": str(cargo.PAPER)},
        "services": services,
        "connectors": {programs.CONNECTOR: connector},
        "bots": {stackfiles.BOT: {**bot, "stop": {"grace": "1s"}}},
    }
    return stackfiles.write(folder, _NAME, units)


def main() -> None:
    """Run the bench."""
    parser = options.parser("bench.nothing_to_do", __doc__, n=20)
    chosen = parser.parse_args()
    ground.seclude("bench.nothing_to_do")
    manifest = str(cargo.PAPER / "Cargo.toml")
    with ground.Ground() as place:
        hftstack = installed(place.path / "home")
        file = stack(place.folder("paper"), programs.free_port())
        hftstack.run("up", file)
        up: list[float] = []
        build: list[float] = []
        for _ in range(chosen.n):
            up.append(timed((*hftstack.command, "up", str(file)), hftstack.environ))
            build.append(timed(("cargo", *_BUILD, "--manifest-path", manifest), cargo.environment()))
        restarts = [each["restarts"] for each in json.loads(hftstack.run("status", "--format", "json").stdout)["units"]]
        hftstack.run("down", _NAME)
    assert not any(restarts)
    beyond = tuple(whole - part for whole, part in zip(up, build, strict=True))
    samples = (
        Sample("hftstack up", tuple(up)),
        Sample("cargo build", tuple(build)),
        Sample("beyond cargo", beyond, "difference of each pair"),
    )
    Report("up with nothing to do", samples, compared=False).show(chosen.format)


if __name__ == "__main__":
    main()
