"""A bot of any language beside its connector: python examples/bot_beside_runner.py CONFIG.toml BOT [ARGUMENT...].

The bot is ended first: a connector that ends under a bot leaves it without data for ever. Ctrl-C ends both.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from orchestrator import ConnectorConfig, ConnectorRunner

if not sys.argv[2:]:
    sys.exit(__doc__)

config_path, *command = sys.argv[1:]
config = ConnectorConfig("bf", "binancefutures", Path(config_path))

with ConnectorRunner(config), subprocess.Popen(command, start_new_session=True) as bot:
    try:
        code = bot.wait()
    except KeyboardInterrupt:
        bot.send_signal(signal.SIGTERM)  # ends a LiveBot's loop; it may flatten, so it is waited for
        code = bot.wait()

print(f"the bot ended with {code}")
