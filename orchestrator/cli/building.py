"""Building on behalf of a verb: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from orchestrator import build
from orchestrator.cli import terminal
from orchestrator.observe.table import duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.build import BuildRequest, BuildResult, Progress

_EVERY = 10.0
_BLOCKED = "blocking"
"""How a progress begins that says that it waits for another cargo."""


def ensure(request: BuildRequest) -> BuildResult:
    """Build what is asked for and tell how it goes. Raises BuildError."""
    result = _with_bar(request) if terminal.is_lively(sys.stderr) else _with_lines(request)
    for warning in result.warnings:
        terminal.say(f"warning: {warning}")
    return result


def line(result: BuildResult) -> str:
    """Return what was built: connector [a,b]  4f1c09ae  up to date, 0.9 s."""
    parts = []
    for program, stored in result.binaries.items():
        features = f" [{','.join(result.features)}]" if program == build.CONNECTOR else ""
        parts.append(f"{program}{features}  {stored.sha256[:8]}")
    how = "compiled" if result.rebuilt else "up to date"
    return f"built     {'  '.join(parts)}  {how}, {duration(result.seconds)}"


def _with_bar(request: BuildRequest) -> BuildResult:
    from rich.console import Console  # noqa: PLC0415 - 100 ms that only a terminal pays
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    what = TextColumn("{task.description}")
    columns = (TextColumn("cargo"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), what)
    with terminal.drawing(sys.stderr), Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def draw(progress: Progress) -> None:
            bar.update(task, completed=progress.done, total=progress.total or None, description=progress.what)

        return build.ensure(request, environ=os.environ, progress=draw)


def _with_lines(request: BuildRequest) -> BuildResult:
    return build.ensure(request, environ=os.environ, progress=_sparingly())


def _sparingly() -> Callable[[Progress], None]:
    last = time.monotonic()

    def tell(progress: Progress) -> None:
        nonlocal last
        if progress.what.startswith(_BLOCKED):
            terminal.say(f"cargo: {progress.what}")
        elif progress.total and time.monotonic() - last >= _EVERY:
            last = time.monotonic()
            terminal.say(f"cargo: {progress.done} of {progress.total}, {progress.what}")

    return tell
