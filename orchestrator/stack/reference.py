"""The reference of the stack file for people: `python -m orchestrator.stack.reference > docs/stack-file.md`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final

from orchestrator.stack import durations, schema, sizes
from orchestrator.stack.model import Bot, Connector, Defaults, Program, Service, Stack, Unit
from orchestrator.stack.parts import (
    Backoff,
    BotRestart,
    BotStop,
    Build,
    Channel,
    Dependency,
    Health,
    Hooks,
    Limit,
    Logs,
    Notify,
    Part,
    Ready,
    Require,
    Resources,
    Restart,
    Secret,
    Source,
    Stop,
    part_of,
)
from orchestrator.stack.ruleset import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.json_schema import JsonSchemaValue

TABLES: Final[dict[type[Part], str]] = {
    Stack: "The file",
    Source: "source",
    Build: "build",
    Require: "require",
    Channel: "channel",
    Secret: "secrets",
    Notify: "notify",
    Defaults: "defaults",
    Unit: "Every unit",
    Dependency: "depends_on",
    Health: "health",
    Restart: "restart",
    Backoff: "backoff",
    Limit: "limit",
    Stop: "stop",
    Resources: "resources",
    Hooks: "hooks",
    Logs: "logs",
    Connector: "connectors",
    Program: "Services and bots",
    Service: "services",
    Ready: "ready",
    Bot: "bots",
    BotRestart: "restart of a bot",
    BotStop: "stop of a bot",
}
"""Every table of the format and its heading, in the order of the page."""

_HEAD: Final = """\
# The stack file

Everything that a stack file may hold. This page is made from the models that read it
(`python -m orchestrator.stack.reference > docs/stack-file.md`). `hftstack validate FILE` tells every mistake at once,
with file:line:column and what to write instead. An editor with the YAML language server checks and completes as you
type, by the schema that the file's first line names: `# yaml-language-server: $schema=../schemas/stack.schema.json`.

**YAML.** Scalars follow the core schema of YAML 1.2: `on`, `no` and `12:30` are text. A key stands once, there are no
tags, and a file is one document. Anchors, aliases and `<<` work. Keys at the top that begin with `x-` are free, for
what anchors share.

**Durations** are text: `250ms`, `10s`, `1m30s`; the units are ns, us, ms, s, m, h, d.

**Sizes** are text: `16MiB`, `1.5GB`; the units are B, kB, MB, GB and KiB, MiB, GiB.

**Variables.** `${VAR}`, `${VAR:-default}`, `${VAR:?message}` work in text, and `$$` is a dollar sign. They do not work
in the network, the name, extends, types, features, dependencies and URLs: a reviewer must see those.

**Secrets** are declared by where they come from, and referred to as `${secret:NAME}` in the configs of connectors and
simulated bots, in the stack file and in the TOML files that it names; nowhere else, for others could read it there.

    secrets:
      bf_key: {env: BINANCE_KEY}                         # a variable of `hftstack up`
      bf_secret: {command: [pass, show, binance/secret]} # or {file: PATH}, {credential: NAME} of systemd's
    connectors:
      bf:
        type: binancefutures
        config: {api_key: "${secret:bf_key}", secret: "${secret:bf_secret}", ..}

`up` reads them, judges the filled in config by the rules of this file once more, and writes it, 0600, into the runtime
directory, where it stays while the unit is deployed. Secrets are in no argument, environment, log, plan or record, and
digests of what holds one are keyed by a random key of the home. No unit leaves a core file (the `core`
limit is 0, unless `resources.limits.core` says otherwise; a kernel whose core_pattern is a pipe gives that program the
choice). `validate` reads no secret and runs no command: a reviewer need not have them.

**Paths** are relative to the file in which they stand, also when another file extends it: `extends`, `source.path`,
`cwd`, `config`, a secret's `file`, and the programs of `notify`, `hooks` and secrets where they hold a slash. A unit's
`command` is relative to its `cwd`, which is the folder of the file that is loaded where nobody says otherwise.

**Extending.** `extends: base.yaml` takes over what that file says: tables are merged at any depth, everything else,
lists too, is replaced; a key cannot be removed. A chain has at most 8 files. A file that is extended may be incomplete
by itself, and its mistakes are told at its own lines. Anchors end with their file.

    # stacks/base.yaml                          # stacks/prod.yaml
    connectors:                                 extends: base.yaml
      bf:                                       network: testnet
        type: binancefutures                    connectors:
        config: {order_prefix: mm1}               bf:
        health: {stale_after: 10s}                  config:
                                                      stream_url: wss://fstream.binancefuture.com/ws
                                                      api_url: https://testnet.binancefuture.com

**An external connector** (`external: true`) is started by hand: hftstack watches its channel and never starts or stops
it. Bots can depend on it; when its process changes, they are restarted as if hftstack had restarted it.

**Names** of stacks and units have at most 64 letters, digits, `_`, `.` and `-`, with a letter or digit first. A unit's
is unique over connectors, services and bots.
"""

_RULES_HEAD: Final = """\
## Rules

What the identifiers at the end of a message mean. The rules of trading configurations are listed in docs/rules.

| rule | meaning |
|---|---|
"""


def render() -> str:
    """Return the page as Markdown."""
    reference = _Reference(schema.build()["$defs"])
    tables = "\n".join(reference.table(model) for model in TABLES)
    rules = "".join(f"| `{rule}` | {meaning} |\n" for rule, meaning in RULES.items())
    return f"{_HEAD}\n{tables}\n{_RULES_HEAD}{rules}"


class _Reference:
    """Turns models into Markdown; `definitions` are the tables and choices of the schema."""

    def __init__(self, definitions: JsonSchemaValue) -> None:
        self._definitions = definitions

    def table(self, model: type[Part]) -> str:
        """Return the section of one table: what it is, and its keys that are not those of a wider one."""
        wider = model.__mro__[1]
        lines = [f"## {TABLES[model]}", "", " ".join((model.__doc__ or "").split()), ""]
        if wider in TABLES:
            lines += [f"It has the keys of {_link(wider)} too.", ""]
        lines += ["| key | type | default | meaning | example |", "|---|---|---|---|---|"]
        return "\n".join([*lines, *self._rows(model, wider)]) + "\n"

    def _rows(self, model: type[Part], wider: type) -> Iterator[str]:
        known = wider.model_fields if issubclass(wider, Part) else {}
        described = model.model_json_schema(by_alias=True, schema_generator=schema.Generator)
        for name, field in model.model_fields.items():
            if name in known and known[name].description == field.description:
                continue
            key = field.alias or name
            inside = part_of(field.annotation)
            words = described["properties"][key]
            form = _link(inside) if inside is not None else self._form(words, described.get("$defs", {}))
            if inside is not None and "anyOf" in words:
                form = f"list of names, or table of names: {form}"
            elif inside is not None and "patternProperties" in words:
                form = f"table of names: {form}"
            default = "required" if field.is_required() else _code(words.get("default"))
            examples = ", ".join(_code(example) for example in field.examples or ())
            yield f"| `{key}` | {form} | {default} | {field.description} | {examples} |"

    def _form(self, words: JsonSchemaValue, definitions: JsonSchemaValue) -> str:
        if "$ref" in words:
            return self._form(definitions[words["$ref"].rpartition("/")[2]], definitions)
        if "anyOf" in words:
            return " or ".join(dict.fromkeys(self._form(choice, definitions) for choice in words["anyOf"]))
        if "const" in words:
            return _code(words["const"])
        if "enum" in words:
            return ", ".join(_code(choice) for choice in words["enum"])
        if words.get("type") == "array":
            return f"list of {self._form(words['items'], definitions)}"
        if words.get("type") == "object":
            return "table"
        if words.get("type") in {"integer", "number"}:
            return ("whole number" if words["type"] == "integer" else "number") + _bounds(words)
        if words.get("type") == "boolean":
            return "`true` or `false`"
        pattern = words.get("pattern", "")
        if pattern.startswith(sizes.PATTERN):
            return "size"
        return "duration" if pattern.startswith(durations.PATTERN) else "text"


def _bounds(words: JsonSchemaValue) -> str:
    least, most = words.get("minimum"), words.get("maximum")
    if least is None:
        return ""
    return f" from {least}" + (f" to {most}" if most is not None else "")


def _link(model: type[Part]) -> str:
    title = TABLES[model]
    return f"[{title}](#{title.lower().replace(' ', '-')})"


def _code(value: object) -> str:
    """Return a value as it is written in a stack file, in Markdown; nothing for what is empty."""
    if value is None or value in ("", [], {}):
        return ""
    return f"`{_flow(value)}`"


def _flow(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return value if isinstance(value, str) else json.dumps(value)


if __name__ == "__main__":
    sys.stdout.write(render())
