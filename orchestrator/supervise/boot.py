"""The supervisor's first lines, run by path with `python -I -S`: it needs no more of a path than its own package."""

from __future__ import annotations

import sys
from pathlib import Path


def boot() -> int:
    """Put this package on the path, do without TLS (2 MiB that asyncio would load), and supervise."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    sys.modules["ssl"] = None  # type: ignore[assignment] # what `import ssl` takes as "there is none"

    from orchestrator.supervise.main import main  # noqa: PLC0415 - needs the path set above

    return main()


if __name__ == "__main__":
    sys.exit(boot())
