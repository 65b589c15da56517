"""What is known of binancefutures, binancespot and bybit, and what must hold between connectors. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator import stack

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from orchestrator.stack.model import Stack
    from orchestrator.stack.textfile import Files


def load(path: Path, environ: Mapping[str, str], *, files: Files | None = None) -> Stack:
    """Read the stack file at `path` and judge it as a trading configuration; `Stack.warnings` is the rest.

    `files` is where it is read, by default the disk.

    Raises:
        StackError: holds every mistake of the file and of the config files that it names.
    """
    from orchestrator.venue.check import check  # noqa: PLC0415 - pydantic costs 200 ms; only a load pays

    return stack.load(path, environ, check=check, files=files)
