from __future__ import annotations

import json
from pathlib import Path

from orchestrator.stack import schema

FILE = Path(__file__).parents[2] / "schemas" / "stack.schema.json"


def test_the_schema_in_the_repository_is_current() -> None:
    assert FILE.read_text() == schema.render(), "run: python -m orchestrator.stack.schema > schemas/stack.schema.json"


def test_the_schema_keeps_to_what_editors_understand() -> None:
    text = schema.render()

    assert json.loads(text)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "prefixItems" not in text
    assert '"null"' not in text


def test_defaults_are_shown_as_they_are_written() -> None:
    health = json.loads(schema.render())["$defs"]["Health"]["properties"]

    assert {key: value["default"] for key, value in health.items()} == {
        "startup": "10s",
        "interval": "100ms",
        "stale_after": "30s",
    }
