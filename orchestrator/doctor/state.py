"""What is on disk of a stack: whether it can be read, and what is left of an earlier version or a damage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.doctor.finding import ok
from orchestrator.supervise import records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.doctor.finding import Case, Finding


def readable(case: Case) -> Iterator[Finding]:
    """Judge whether the records on disk are whole and of a version that this one reads. Raises RefusedError."""
    if case.home is None or not case.home.state.exists():
        return
    records.read_deployment(case.home.deployment)
    records.read_intents(case.home.intent)
    yield ok(f"the records in {case.home.state} are whole")
