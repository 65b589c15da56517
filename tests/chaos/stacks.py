"""The stacks that the faults are played on: simulated connectors and bots, and the real ones of paper/."""

from __future__ import annotations

import hashlib
import shutil
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.cargo import PAPER
from tests.chaos import writer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.integration.harness import Machine

BINARIES: Final = PAPER / "target/release"
CONNECTORS: Final = ("bf", "by")
WRITER: Final = "w1"
_FEEDS: Final = {"m1": ("bf",), "m2": ("bf", "by")}
_DEFAULTS: Final = {
    "restart": {"backoff": {"initial": "50ms", "max": "200ms"}, "limit": {"restarts": 1000, "window": "1m"}},
    "health": {"stale_after": "1s"},
}


@dataclass(frozen=True)
class Stack:
    """What is wanted of a stack: `feeds` are the connectors that each bot has to hear. `up` is how it is brought up."""

    name: str
    units: tuple[str, ...]
    feeds: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: dict(_FEEDS))
    up: tuple[str, ...] = ()
    port: int = 0
    """Where the paper exchange listens; 0: there is none."""


def simulated(machine: Machine) -> Stack:
    """Write two simulated connectors, of which one can be made silent and one can lose its publisher, and two bots."""
    connectors = {
        name: {
            "type": "sim",
            "config": {"rate": 100, "faults": {fault: 0, "arm_file": str(arm_file(machine.folder, name))}},
        }
        for name, fault in zip(CONNECTORS, ("silent_after", "drop_publisher_after"), strict=True)
    }
    bots = {bot: {"type": "sim", **_bot(feeds)} for bot, feeds in _FEEDS.items()}
    machine.write(defaults=_DEFAULTS, services=_services(machine), connectors=connectors, bots=bots)
    return Stack("simulator", ("bf", "by", "m1", "m2", "s1", WRITER))


def arm_file(folder: Path, connector: str) -> Path:
    """Return the file as long as which is there a simulated connector sends nothing."""
    return folder / f"{connector}.silent"


def paper(machine: Machine) -> Stack:
    """Write a paper exchange, two connectors and two LiveBots, as they are built: no cargo in here."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    exchange = {
        "command": [str(BINARIES / "exchange"), "--port", str(port)],
        "ready": {"tcp": f"127.0.0.1:{port}"},
        "restart": {"policy": "always"},
    }
    urls = {"stream_url": f"ws://127.0.0.1:{port}/ws", "api_url": f"http://127.0.0.1:{port}"}
    connectors = {name: {"type": "binancefutures", "config": urls, "depends_on": ["exchange"]} for name in CONNECTORS}
    bots = {
        bot: {"command": [str(BINARIES / "bot"), ",".join(feeds), "btcusdt"], **_bot(feeds)}
        for bot, feeds in _FEEDS.items()
    }
    machine.write(
        source={"path": str(PAPER)},
        defaults=_DEFAULTS,
        services={**_services(machine), "exchange": exchange},
        connectors=connectors,
        bots=bots,
    )
    built = (BINARIES / "connector").read_bytes()
    stored = machine.state / "binaries" / hashlib.sha256(built).hexdigest()
    for folder in (machine.home, machine.home / "state", machine.state, machine.state / "binaries", stored):
        folder.mkdir(mode=0o700)
    shutil.copy2(BINARIES / "connector", stored)
    units = ("bf", "by", "exchange", "m1", "m2", "s1", WRITER)
    return Stack("paper", units, up=("--no-build",), port=port)


STACKS: Final = {"simulator": simulated, "paper": paper}


def burst_file(folder: Path) -> Path:
    """Return the file that makes the writer write as fast as it can for a while."""
    return folder / "burst"


def _services(machine: Machine) -> dict[str, Any]:
    command = [sys.executable, "-I", "-S", str(Path(writer.__file__)), str(burst_file(machine.folder))]
    return {
        "s1": {"command": ["sleep", "100000"]},
        WRITER: {"command": command, "logs": {"max_size": "64KiB"}},
    }


def _bot(feeds: tuple[str, ...]) -> dict[str, Any]:
    restart = {"policy": "on-failure"}  # which no default gives a bot
    return {"depends_on": list(feeds), "restart": restart, "stop": {"grace": "1s"}}
