"""The secrets that a start needs: whether each could be had, without reading one or running a command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.doctor.finding import bad, ok
from orchestrator.resolve import ResolveError, sources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.doctor.finding import Case, Finding


def secrets(case: Case) -> Iterator[Finding]:
    """Judge the sources: variables that are set, files that are private, programs that exist."""
    had = []
    for name, source in case.secrets.items():
        try:
            there = sources.look(source, Path(case.deployment.file).parent, case.environ)
        except ResolveError as error:
            yield bad(f"the secret {name}: {error.message}", error.hint or "", error.where)
            continue
        had.append(name if there else f"{name} (optional, empty)")
    if had:
        yield ok(f"could be read: {', '.join(had)}")
