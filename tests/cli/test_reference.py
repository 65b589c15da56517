from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cli import reference
from orchestrator.cli.main import VERBS

_PAGE = Path(__file__).resolve().parents[2] / "docs/commands.md"


def test_the_page_of_commands_is_current() -> None:
    current = _PAGE.read_text(encoding="utf-8") == reference.render()
    assert current, "run python -m orchestrator.cli.reference > docs/commands.md"


@pytest.mark.parametrize("verb", VERBS)
def test_the_page_tells_each_verb_with_an_example(verb: str) -> None:
    section = reference.render().partition(f"\n## {verb}\n")[2].partition("\n## ")[0]

    usage, *examples = [line for line in section.splitlines() if line.startswith("    ")]
    assert usage.startswith(f"    hftstack {verb} ")
    assert any(f"hftstack {verb}" in example for example in examples)
