"""A connector that was just built is asked for its help before anything that runs is stopped for it."""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING, Final

from orchestrator.build import CONNECTOR
from orchestrator.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from orchestrator.build import BuildResult

PATIENCE: Final = 10.0
"""Seconds that a connector may take; upstream's takes 2 ms."""

_UNSTARTED: Final = frozenset({126, 127})
"""What the dynamic loader exits with when a library is missing or does not fit; ld.so(8)."""

_HINT: Final = "nothing was stopped for it; run it by hand with --help"


def refuse_mute(binaries: BuildResult | None, *, environ: Mapping[str, str], patience: float = PATIENCE) -> None:
    """Raise BuildError when the connector among the binaries cannot even say how it is used.

    Bots are not asked: one that knows no --help would begin to trade. Any exit code of the connector's own will do,
    for a fork may not know the option either.
    """
    stored = None if binaries is None else binaries.binaries.get(CONNECTOR)
    if stored is not None:
        _ask(stored.path, environ, patience)


def _ask(path: Path, environ: Mapping[str, str], patience: float) -> None:
    try:
        done = subprocess.run(
            [str(path), "--help"],
            cwd="/",
            env={key: environ[key] for key in ("PATH", "HOME") if key in environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=patience,
            check=False,
        )
    except OSError as error:
        raise BuildError(f"the connector cannot be run: {error.strerror}", where=str(path), hint=_HINT) from None
    except subprocess.TimeoutExpired:
        raise BuildError(
            f"the connector did not answer --help within {patience:g} s", where=str(path), hint=_HINT
        ) from None
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise BuildError(f"the connector does not answer --help: ended by {name}", where=str(path), hint=_HINT)
    if done.returncode in _UNSTARTED:
        said = done.stderr.decode(errors="replace").strip()
        raise BuildError("the connector cannot be loaded", where=str(path), hint=_HINT, detail=said or None)
