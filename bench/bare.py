"""What an expert's own script would do for one connector and its bot: start, wait until live, start the bot, repeat.

The yardstick of first_tick: nothing but what must be done, in one process, with the same probe. It keeps no record,
checks no file, and its own death leaves both programs behind.

    python -m bench.bare --connector PATH --config FILE --port PORT --bot PATH --folder FOLDER
"""

from __future__ import annotations

import argparse
import os
import select
import subprocess
import time
from pathlib import Path

from bench.programs import CONNECTOR, SYMBOL, TYPE
from orchestrator.channel import Probe, Verdict, locate, scan_nodes
from orchestrator.supervise.sockets import Connections

_EVERY = 0.001


class Script:
    """Runs the two programs in `folder`, where their logs are written too, for ever."""

    def __init__(self, connector: tuple[str, ...], bot: tuple[str, ...], folder: Path, port: int) -> None:
        self._connector = connector
        self._bot = bot
        self._folder = folder
        self._port = port
        self._location = locate(folder, None)
        self._starts = 0

    def run(self) -> None:
        """Start both, and after each death of the connector both again."""
        bot: subprocess.Popen[bytes] | None = None
        while True:
            connector = self._start(self._connector, "connector")
            if bot is not None:
                bot.kill()
                bot.wait()
                bot = None
            if not self._becomes_live(connector):
                continue
            bot = self._start(self._bot, "bot")
            pidfd = os.pidfd_open(connector.pid)
            select.select([pidfd], [], [])
            os.close(pidfd)
            connector.wait()

    def _start(self, command: tuple[str, ...], name: str) -> subprocess.Popen[bytes]:
        self._starts += 1
        logs = self._folder / name
        logs.mkdir(exist_ok=True)
        with (logs / f"{self._starts:08}.log").open("wb") as log:
            return subprocess.Popen(command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _becomes_live(self, connector: subprocess.Popen[bytes]) -> bool:
        """Return once its channel is live and its stream connected; False when it ended before."""
        probe = Probe(self._location, CONNECTOR)
        try:
            while connector.poll() is None:
                reading = probe.scan(scan_nodes(self._location), pid=connector.pid)
                if reading.verdict is Verdict.LIVE and self._is_connected(connector.pid):
                    return True
                time.sleep(_EVERY)
        finally:
            probe.close()
        return False

    def _is_connected(self, pid: int) -> bool:
        return any(port == self._port for _, port in Connections().of(pid, 0.0))


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--connector", "--config", "--bot"):
        parser.add_argument(name, required=True)
    parser.add_argument("--folder", required=True, type=Path)
    parser.add_argument("--port", required=True, type=int)
    chosen = parser.parse_args()
    connector = (chosen.connector, CONNECTOR, TYPE, chosen.config)
    Script(connector, (chosen.bot, CONNECTOR, SYMBOL), chosen.folder, chosen.port).run()


if __name__ == "__main__":
    main()
