"""The paper programs, or another connector in place of the paper one."""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.build.store import store

CONNECTOR: Final = "bf"
TYPE: Final = "binancefutures"
SYMBOL: Final = "btcusdt"
_BUILT: Final = Path(__file__).resolve().parent.parent / "paper/target/release"


@dataclass(frozen=True, slots=True)
class Programs:
    """Binaries by absolute path; `rate` is depth updates a second."""

    exchange: Path
    connector: Path
    bot: Path
    rate: float = 50.0

    def exchange_command(self, port: int) -> list[str]:
        """Return the exchange's command."""
        return [str(self.exchange), "--port", str(port), "--rate", f"{self.rate:g}"]

    def connector_command(self, config: Path) -> list[str]:
        """Return the connector's command."""
        return [str(self.connector), CONNECTOR, TYPE, str(config)]

    def bot_command(self) -> list[str]:
        """Return the bot's command."""
        return [str(self.bot), CONNECTOR, SYMBOL]

    def config(self, port: int) -> dict[str, str]:
        """Return the connector's config for an exchange on that port."""
        return {"stream_url": f"ws://127.0.0.1:{port}/ws", "api_url": f"http://127.0.0.1:{port}"}

    def write_config(self, folder: Path, port: int) -> Path:
        """Write the connector's config as TOML and return its path."""
        file = folder / "connector.toml"
        lines = [f'{key} = "{value}"\n' for key, value in self.config(port).items()]
        file.write_text("".join(lines), encoding="utf-8")
        return file

    def stored(self, binaries: Path) -> None:
        """Put the connector where `up --no-build` finds it: the folder of a stack's binaries."""
        link = binaries.parent / "connector"
        link.unlink(missing_ok=True)
        link.symlink_to(self.connector)
        store(link, binaries)
        link.unlink()


def find(connector: str | None, rate: float) -> Programs:
    """Return the paper programs, `connector` in place of their own; ends the bench when one is missing."""
    programs = Programs(
        exchange=_BUILT / "exchange",
        connector=Path(connector).resolve() if connector else _BUILT / "connector",
        bot=_BUILT / "bot",
        rate=rate,
    )
    for path in (programs.exchange, programs.connector, programs.bot):
        if not path.is_file():
            sys.exit(f"missing: {path}. make paper")
    return programs


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
