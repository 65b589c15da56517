"""The JSON Schema of the stack file: `python -m orchestrator.stack.schema > schemas/stack.schema.json`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from orchestrator.stack import durations, inheritance, sizes
from orchestrator.stack.model import Stack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core.core_schema import DictSchema, NullableSchema, StringSchema, WithDefaultSchema


class Generator(GenerateJsonSchema):
    """What a file may hold: a duration is text, nothing is null, and text may come from a variable."""

    def nullable_schema(self, schema: NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def dict_schema(self, schema: DictSchema) -> JsonSchemaValue:
        result = super().dict_schema(schema)
        if "patternProperties" in result:
            result["additionalProperties"] = False
        return result

    def str_schema(self, schema: StringSchema) -> JsonSchemaValue:
        result = super().str_schema(schema)
        if "pattern" in result:
            result["pattern"] += r"|\$\{"
        return result

    def default_schema(self, schema: WithDefaultSchema) -> JsonSchemaValue:
        result = super().default_schema(schema)
        default = result.get("default")
        if default is None:
            result.pop("default", None)
        elif result.get("type") == "string" and isinstance(default, float):
            result["default"] = durations.render(round(default * 1e9))
        elif result.get("type") == "string" and isinstance(default, int):
            result["default"] = sizes.render(default)
        return result


def render() -> str:
    """Return the schema as text, draft 2020-12, with sorted keys."""
    return json.dumps(build(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def build() -> JsonSchemaValue:
    """Return the schema as data. A file that extends another one need not hold what is required: that one may."""
    schema = Stack.model_json_schema(by_alias=True, schema_generator=Generator)
    definitions = schema["$defs"]
    schema["$schema"] = GenerateJsonSchema.schema_dialect
    schema["if"] = {"not": {"required": [inheritance.KEY]}}
    schema["then"] = _needs(schema, definitions)
    for table in (schema, *definitions.values()):
        table.pop("required", None)
    return schema


def _needs(table: JsonSchemaValue, definitions: Mapping[str, JsonSchemaValue]) -> JsonSchemaValue:
    """Return what a table and those inside it require, as a schema of its own."""
    if "$ref" in table:
        return _needs(definitions[table["$ref"].rpartition("/")[2]], definitions)
    needs: JsonSchemaValue = {"required": table["required"]} if "required" in table else {}
    for kind in ("properties", "patternProperties"):
        inner = {key: need for key, value in table.get(kind, {}).items() if (need := _needs(value, definitions))}
        if inner:
            needs[kind] = inner
    return needs


if __name__ == "__main__":
    sys.stdout.write(render())
