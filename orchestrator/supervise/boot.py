"""The daemon's first lines, run by path with `python -I -S`: it needs no more of a path than its own package."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # `typing` would cost the guardian 1.8 MiB
if TYPE_CHECKING:
    from orchestrator.supervise.guardian import Guarded


def boot() -> int:
    """Put this package on the path, and guard a supervisor."""
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))))  # noqa: PTH120 - pathlib would cost 2 MiB

    from orchestrator.supervise.guardian import guard  # noqa: PLC0415 - needs the path set above
    from orchestrator.supervise.stderr import spare_stderr  # noqa: PLC0415 - likewise

    spare_stderr()
    return guard(_supervise, sys.argv[1:])


def _supervise(arguments: list[str], guarded: Guarded) -> int:
    """Supervise, without OpenSSL: 2 MiB that asyncio would load for TLS, and as much that hashlib would."""
    sys.modules["ssl"] = None  # type: ignore[assignment] # what `import ssl` takes as "there is none"
    if _has_hashes():
        sys.modules["_hashlib"] = None  # type: ignore[assignment]

    from orchestrator.supervise.main import main  # noqa: PLC0415 - the guardian goes without

    return main(arguments, guarded)


def _has_hashes() -> bool:
    """Tell whether this Python can do without OpenSSL's hashes; some distributions leave its own ones out."""
    try:
        import _sha1  # type: ignore[import-not-found] # noqa: F401, PLC0415
    except ImportError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(boot())
