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


def load_anywhere(path: Path, environ: Mapping[str, str], *, files: Files | None = None) -> Stack:
    """Read a stack file as `load` does, where its variables need not be set: one without a default is its own name.

    What such a variable holds is not judged, and not shown. A place that takes no text, as a duration, needs its value,
    which alone is looked up in `environ`.
    """
    from orchestrator.stack.interpolation import Itself  # noqa: PLC0415 - likewise
    from orchestrator.stack.reading import UnsetError  # noqa: PLC0415 - likewise

    try:
        return load(path, Itself(), files=files)
    except UnsetError as error:
        values = {name: environ[name] for name in error.names if name in environ}
    return load(path, Itself(values), files=files)
