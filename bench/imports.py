"""`from orchestrator import ConnectorRunner`, against importing pydantic alone, in turns."""

from __future__ import annotations

import subprocess
import sys
import time

from bench import options
from bench.report import Report
from bench.sample import Sample

_STATEMENTS = {
    "ConnectorRunner": "from orchestrator import ConnectorConfig, ConnectorRunner",
    "Stack": "from orchestrator import Stack",
    "pydantic": "import pydantic",
    "pydantic.BaseModel": "from pydantic import BaseModel",
    "nothing": "pass",
}


def timed(statement: str) -> float:
    """Return the seconds of an interpreter that does this and ends."""
    begun = time.monotonic()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.monotonic() - begun


def main() -> None:
    """Run the bench."""
    chosen = options.parser("bench.imports", __doc__, n=30).parse_args()
    seconds: dict[str, list[float]] = {name: [] for name in _STATEMENTS}
    for _ in range(chosen.n):
        for name, statement in _STATEMENTS.items():
            seconds[name].append(timed(statement))
    Report("imports", tuple(Sample(name, tuple(column)) for name, column in seconds.items())).show(chosen.format)


if __name__ == "__main__":
    main()
