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

_UNLOADED: Final = 127
"""What the dynamic loader exits with when a library is missing or does not fit; ld.so(8)."""

_SAID: Final = 10
"""Lines that are told of what it said, the last ones."""

_HINT: Final = "nothing was stopped for it; run it by hand with --help"


def refuse_mute(binaries: BuildResult | None, *, environ: Mapping[str, str], patience: float = PATIENCE) -> None:
    """Raise BuildError when the connector among the binaries cannot even say how it is used.

    Upstream's, like every program that clap parses for, exits 0. One that does not was not made from it, or is broken:
    a fork that parses by itself has to learn the option, for nothing else tells the two apart before a channel goes
    dark for it. Bots are not asked: one that knows no --help would begin to trade.
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
    code = done.returncode
    if code == 0:
        return
    said = "\n".join(done.stderr.decode(errors="replace").strip().splitlines()[-_SAID:])
    how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}, not 0"
    message = "the connector cannot be loaded" if code == _UNLOADED else f"the connector does not answer --help: {how}"
    raise BuildError(message, where=str(path), hint=_HINT, detail=said or None)
