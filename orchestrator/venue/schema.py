"""JSON Schemas of the connectors' TOML: `python -m orchestrator.venue.schema TYPE > schemas/TYPE.schema.json`.

Draft 7, which editors of TOML (taplo, Even Better TOML) understand: `#:schema PATH` is a file's first line for them.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from orchestrator.venue.models import MODELS

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaValue


def build(kind: str) -> JsonSchemaValue:
    """Return the schema of a connector type's TOML as data. Raises KeyError for a type that is not known."""
    schema = MODELS[kind].model_json_schema()
    schema["$schema"] = "http://json-schema.org/draft-07/schema#"
    schema["title"] = f"{kind}, a connector's TOML"
    for value in schema["properties"].values():
        value.pop("title", None)
    return schema


def render(kind: str) -> str:
    """Return the schema of a connector type's TOML as text with sorted keys. Raises KeyError."""
    return json.dumps(build(kind), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render(sys.argv[1]))
