"""Stack files that are judged as trading configurations, each in a folder of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol

import pytest

from orchestrator import venue
from orchestrator.errors import Diagnostic, StackError
from tests.venue.configs import CONFIGS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Judge(Protocol):
    """Writes a stack of one connector `c`, judges it, and returns errors and warnings.

    `changes` go over a sound table of the type and network; None removes a key. `top` goes beside the connectors.
    """

    def __call__(
        self,
        kind: str,
        changes: Mapping[str, object] = {},
        *,
        network: str = "testnet",
        top: Mapping[str, object] = {},
        unit: Mapping[str, object] = {},
    ) -> tuple[Diagnostic, ...]: ...


class Told(Protocol):
    """Writes a whole stack file, judges it, and returns errors and warnings."""

    def __call__(self, text: str, environ: Mapping[str, str] | None = None) -> tuple[Diagnostic, ...]: ...


@pytest.fixture
def told(tmp_path: Path) -> Told:
    def told(text: str, environ: Mapping[str, str] | None = None) -> tuple[Diagnostic, ...]:
        file = tmp_path / "s.yaml"
        file.write_text(text, encoding="utf-8")
        try:
            return venue.load(file, environ or {}).warnings
        except StackError as error:
            return error.diagnostics

    return told


@pytest.fixture
def judge(told: Told) -> Judge:
    def judge(
        kind: str,
        changes: Mapping[str, object] = {},
        *,
        network: str = "testnet",
        top: Mapping[str, object] = {},
        unit: Mapping[str, object] = {},
    ) -> tuple[Diagnostic, ...]:
        table = {**CONFIGS[kind, network], **changes}
        config = {key: value for key, value in table.items() if value is not None}
        connectors = {"c": {"type": kind, "config": config, **unit}}
        return told(json.dumps({"network": network, **top, "connectors": connectors}))

    return judge


def rules(mistakes: tuple[Diagnostic, ...]) -> list[str]:
    """Return each mistake as `pointer [rule]`."""
    return [f"{m.pointer} [{m.rule}]" for m in mistakes]
