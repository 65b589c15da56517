"""No exchange, no cargo: the embedded simulator and its bot, until the bot has seen ten messages."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from orchestrator import ConnectorConfig, ConnectorRunner

with tempfile.TemporaryDirectory() as folder:
    settings = Path(folder, "sim.toml")
    settings.write_text('rate = 200\nsymbols = ["btcusdt"]\n', encoding="utf-8")
    bot_settings = Path(folder, "bot.toml")
    bot_settings.write_text('symbols = ["btcusdt"]\n', encoding="utf-8")
    bot_command = [sys.executable, "-m", "orchestrator.sim", "bot", "simulated", str(bot_settings)]

    with (
        ConnectorRunner(ConnectorConfig("simulated", "sim", settings)),
        subprocess.Popen(bot_command, stdout=subprocess.PIPE, text=True) as bot,
    ):
        assert bot.stdout is not None
        for line in bot.stdout:
            print(line, end="")
            if line.startswith("tick"):
                break
        bot.terminate()
