from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.stack import reference
from orchestrator.stack.parts import Part

PAGE = Path(__file__).parents[2] / "docs" / "stack-file.md"


def every_table(model: type[Part] = Part) -> set[type[Part]]:
    inner = model.__subclasses__()
    return set(inner).union(*map(every_table, inner))


def test_the_page_in_the_repository_is_current() -> None:
    assert PAGE.read_text() == reference.render(), "run: python -m orchestrator.stack.reference > docs/stack-file.md"


def test_every_table_of_the_format_has_a_section() -> None:
    assert every_table() == set(reference.TABLES)


@pytest.mark.parametrize("model", reference.TABLES, ids=lambda model: model.__name__)
def test_every_key_is_described_and_its_examples_are_valid(model: type[Part]) -> None:
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    needed = {key: field.examples[0] for key, field in fields.items() if field.is_required() and field.examples}
    for key, field in fields.items():
        assert field.description, key
        assert field.description.endswith("."), key
        for example in field.examples or ():
            model.model_validate(needed | {key: example})


def test_every_link_leads_to_a_section_and_every_row_has_its_columns() -> None:
    text = reference.render()
    sections = {line[3:].lower().replace(" ", "-") for line in text.splitlines() if line.startswith("## ")}

    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= sections
    for line in text.splitlines():
        if line.startswith("| `") and "](" not in line:
            assert line.count(" | ") in {1, 4}, line
