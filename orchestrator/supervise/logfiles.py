"""Where units write: a file for each start, the last few of them kept."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from orchestrator.supervise import archives

if TYPE_CHECKING:
    from pathlib import Path

_KEPT: Final = 20


class LogFiles:
    """The logs of a stack's units, in a directory for each. The directory is listed once; then it is ours to know."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[str, list[Path]] = {}

    def new(self, unit: str) -> Path:
        """Return the log of a unit's next start, created empty, and remove the oldest. Raises OSError."""
        known = self._of(unit)
        number = int(known[-1].stem) + 1 if known else 1
        path = self._directory / unit / f"{number:08}.log"
        try:
            _create(path)
        except FileNotFoundError:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _create(path)
        known.append(path)
        while len(known) > _KEPT:
            with suppress(OSError):
                for archive in archives.of_log(known[0]):
                    archive.path(known[0].parent).unlink()
                known[0].unlink()
            del known[0]
        return path

    def latest(self, unit: str) -> str | None:
        """Return the log of the unit's last start; None when it was never started."""
        known = self._of(unit)
        return str(known[-1]) if known else None

    def _of(self, unit: str) -> list[Path]:
        known = self._known.get(unit)
        if known is None:
            directory = self._directory / unit
            try:
                names = sorted(name for name in os.listdir(directory) if name.removesuffix(".log").isdecimal())  # noqa: PTH208 - names are what is sorted
            except OSError:
                names = []
            known = self._known[unit] = [directory / name for name in names if name.endswith(".log")]
        return known


def _create(path: Path) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600))
