"""Another type, a longer wait, a log level: python examples/custom_settings.py CONFIG.toml."""

from __future__ import annotations

import sys
from pathlib import Path

from orchestrator import ConnectorConfig, ConnectorRunner, ConnectorRunnerError

if not sys.argv[1:]:
    sys.exit(__doc__)

config = ConnectorConfig(
    connector_name="my_exchange",
    connector_type="bybit",
    config_path=Path(sys.argv[1]),
    startup_timeout=20.0,
    env={"RUST_LOG": "debug"},
    auto_build=True,
)

try:
    with ConnectorRunner(config) as runner:
        print(f"{config.connector_name} is live, built with {', '.join(config.features)}")
        # your bot
except ConnectorRunnerError as error:
    sys.exit(str(error))  # what is wrong, where, and what to do

stdout, _ = runner.get_output()
print(f"it wrote {len(stdout.splitlines())} lines")
