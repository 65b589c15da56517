"""Stack files that the benches run; written as JSON, which YAML contains."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bench.programs import CONNECTOR

if TYPE_CHECKING:
    from pathlib import Path

    from bench.programs import Programs

BOT = "mm"
ALWAYS = {
    "backoff": {"initial": "1ms", "max": "1ms"},
    "stable": "500ms",
    "limit": {"restarts": 1000, "window": "10m"},
}
"""Each crash is met as the first one after a quiet time, however many there are."""


def write(folder: Path, name: str, units: dict[str, Any]) -> Path:
    """Write a stack file to a folder and return its path."""
    file = folder / f"{name}.yaml"
    file.write_text(json.dumps({"version": 1, "name": name, "network": "local", **units}), encoding="utf-8")
    return file


def paper(
    folder: Path,
    name: str,
    programs: Programs,
    *,
    port: int,
    grace: str | None = "0s",
    resources: dict[str, Any] | None = None,
) -> Path:
    """Write the paper stack: exchange, connector, and a bot with that grace, None for no bot; restarts for ever."""
    cwd = str(folder)
    units: dict[str, Any] = {
        "services": {
            "exchange": {
                "command": programs.exchange_command(port),
                "cwd": cwd,
                "ready": {"tcp": f"127.0.0.1:{port}"},
            }
        },
        "connectors": {
            CONNECTOR: {
                "type": "binancefutures",
                "config": programs.config(port),
                "cwd": cwd,
                "depends_on": ["exchange"],
                "restart": ALWAYS,
                "resources": resources or {},
            }
        },
    }
    if grace is not None:
        units["bots"] = {
            BOT: {
                "command": programs.bot_command(),
                "cwd": cwd,
                "depends_on": [CONNECTOR],
                "restart": {"policy": "on-failure", **ALWAYS},
                "stop": {"grace": grace},
            }
        }
    return write(folder, name, units)
