"""Real stack files in a folder of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from orchestrator.errors import Diagnostic, StackError
from orchestrator.stack import load

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from orchestrator.stack.model import Stack


class Loader(Protocol):
    """Writes a stack file and loads it."""

    def __call__(self, text: str | bytes, environ: Mapping[str, str] | None = None) -> Stack: ...


class Refusal(Protocol):
    """Writes a stack file, loads it, and returns the mistakes, of which there must be some."""

    def __call__(self, text: str | bytes, environ: Mapping[str, str] | None = None) -> tuple[Diagnostic, ...]: ...


@pytest.fixture
def loaded(tmp_path: Path) -> Loader:
    def loaded(text: str | bytes, environ: Mapping[str, str] | None = None) -> Stack:
        file = tmp_path / "prod.yaml"
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return load(file, environ or {})

    return loaded


@pytest.fixture
def refused(loaded: Loader) -> Refusal:
    def refused(text: str | bytes, environ: Mapping[str, str] | None = None) -> tuple[Diagnostic, ...]:
        with pytest.raises(StackError) as caught:
            loaded(text, environ)
        assert "Traceback" not in str(caught.value)
        return caught.value.diagnostics

    return refused


def places(mistakes: tuple[Diagnostic, ...]) -> list[str]:
    """Return each mistake as `line:column pointer [rule]`."""
    return [f"{m.line}:{m.column} {m.pointer} [{m.rule}]" for m in mistakes]
