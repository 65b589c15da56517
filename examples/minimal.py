"""A connector for as long as the block lasts: python examples/minimal.py CONFIG.toml."""

from __future__ import annotations

import sys
from pathlib import Path

from orchestrator import ConnectorConfig, ConnectorRunner

if not sys.argv[1:]:
    sys.exit(__doc__)

config = ConnectorConfig(
    connector_name="binancefutures",
    connector_type="binancefutures",
    config_path=Path(sys.argv[1]),
)

with ConnectorRunner(config) as runner:
    print(f"{config.connector_name} is live: {runner.is_running()}")
    # your bot
