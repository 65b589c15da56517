"""The stack file: from YAML to a validated `Stack`, every mistake with its place. Pure but for the files it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from orchestrator.stack.model import Stack


def load(path: Path, environ: Mapping[str, str]) -> Stack:
    """Read the stack file at `path`; `${VAR}` in it is looked up in `environ`.

    Raises:
        StackError: holds every mistake of the file and of the config files that it names.
    """
    from orchestrator.stack import reading  # noqa: PLC0415 - pydantic and yaml cost 250 ms; only a load pays

    return reading.load(path, environ)
