"""The stack file: from YAML to a validated `Stack`, every mistake with its place. Pure but for the files it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from orchestrator.stack.draft import Check
    from orchestrator.stack.model import Stack
    from orchestrator.stack.textfile import Files


def load(path: Path, environ: Mapping[str, str], *, check: Check | None = None, files: Files | None = None) -> Stack:
    """Read the stack file at `path`; `${VAR}` in it is looked up in `environ`.

    This alone does not judge it as a trading configuration: `orchestrator.venue.load` does, by its own `check`.
    `files` is where it is read, by default the disk.

    Raises:
        StackError: holds every mistake of the file and of the config files that it names.
    """
    from orchestrator.stack import reading, textfile  # noqa: PLC0415 - pydantic and yaml cost 250 ms; only a load pays

    return reading.load(path, environ, check, files or textfile.Disk())
