"""Every step by hand: python examples/manual_control.py CONFIG.toml."""

from __future__ import annotations

import sys
from pathlib import Path

from orchestrator import ConnectorConfig, ConnectorRunner

if not sys.argv[1:]:
    sys.exit(__doc__)

runner = ConnectorRunner(ConnectorConfig("binancefutures", "binancefutures", Path(sys.argv[1])))
runner.build_if_missing()  # asks cargo, which alone knows what is out of date
runner.start()

if runner.wait_for_ready():
    print("live")
    # your bot

runner.stop()
stdout, stderr = runner.get_output()
print(f"Logs:\n{stdout}{stderr}")
