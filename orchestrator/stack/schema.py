"""The JSON Schema of the stack file: `python -m orchestrator.stack.schema > schemas/stack.schema.json`."""

from __future__ import annotations

import json
import sys

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from orchestrator.stack import durations
from orchestrator.stack.model import Stack


class _Generator(GenerateJsonSchema):
    """Defaults as they are written in the file: a duration is text, not seconds."""

    def default_schema(self, schema: object) -> JsonSchemaValue:
        result = super().default_schema(schema)  # type: ignore[arg-type]  # pydantic_core's DefaultSchema
        default = result.get("default")
        if result.get("pattern") == durations.PATTERN and isinstance(default, float):
            result["default"] = durations.render(round(default * 1e9))
        return result


def render() -> str:
    """Return the schema as text, draft 2020-12, with sorted keys."""
    schema = Stack.model_json_schema(by_alias=True, schema_generator=_Generator)
    schema["$schema"] = GenerateJsonSchema.schema_dialect
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
