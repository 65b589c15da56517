"""One connector from Python: built, started, proven live, stopped cleanly. No daemon, no live bindings.

with ConnectorRunner(ConnectorConfig("bf", "binancefutures", Path("bf.toml"))):
    ...  # bots
"""

from orchestrator.runner.config import TYPES, ConnectorConfig
from orchestrator.runner.errors import (
    ConnectorBuildError,
    ConnectorHaltedError,
    ConnectorNotFoundError,
    ConnectorRunnerError,
    ConnectorStartupError,
)
from orchestrator.runner.runner import ConnectorRunner

__all__ = [
    "TYPES",
    "ConnectorBuildError",
    "ConnectorConfig",
    "ConnectorHaltedError",
    "ConnectorNotFoundError",
    "ConnectorRunner",
    "ConnectorRunnerError",
    "ConnectorStartupError",
]
