"""A stack in its canonical form: one text for all files that mean the same, with nothing in it that may be a secret.

Tables stand in one order, units and variables by name, values as the file format writes them, without what is the
default anyway. Where values may be secrets they are replaced, but for those that are known to be none. What comes from
a variable is nowhere shown: `${VAR}` says where it comes from. What is left is a stack file again.
"""

from __future__ import annotations

import copy
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from orchestrator.deployment.model import Kind
from orchestrator.stack import inheritance, interpolation, loader
from orchestrator.stack.document import SECTIONS, holds_secrets, key_shown
from orchestrator.stack.model import SIM, Bot, Connector, Service, Stack
from orchestrator.stack.parts import Secret
from orchestrator.stack.scalars import is_public_url

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from orchestrator.stack.document import Document

REDACTED: Final = "<redacted>"

_KEY_ORDER: Final = (
    "version", "extends", "name", "network", "allow_hosts", "source", "build", "rollback", "require", "channel", "env",
    "secrets", "notify", "defaults", "connectors", "services", "bots",
)  # fmt: skip
_UNIT_ORDER: Final = (
    "type", "external", "features", "config", "command", "package", "bin", "args", "cwd", "env", "depends_on", "ready",
    "attached", "health", "restart", "stop", "resources", "hooks", "logs", "ignore",
)  # fmt: skip
_BY_NAME: Final = frozenset({*SECTIONS, "secrets", "env", "depends_on", "config", "limits"})
"""Tables whose keys are their author's: in canonical form they are sorted."""

_SECTION: Final = {Kind.CONNECTOR: "connectors", Kind.SERVICE: "services", Kind.BOT: "bots"}
_UNIT_KEY: Final = 3
PUBLIC_ENV: Final = frozenset(
    {"RUST_LOG", "RUST_BACKTRACE", "NO_COLOR", "IOX2_LOG_LEVEL", "TOKIO_WORKER_THREADS", "SSL_CERT_FILE"}
)
"""Variables that the connector and its libraries read, and that are no secret."""


def resolved(stack: Stack, document: Document, public: Collection[str]) -> dict[str, object]:
    """Return a loaded stack in canonical form, merged with its defaults; paths are relative to the stack file.

    Args:
        stack: what was loaded.
        document: what its files say.
        public: the keys of connectors' configs whose values are no secrets.
    """
    data: dict[str, Any] = stack.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude_none=True)
    for key in ("extends", "defaults", "env"):
        data.pop(key, None)
    data |= {"version": stack.version, "name": stack.name, "network": stack.network}
    folder = stack.file.parent
    if stack.channel is not None:
        data["channel"] = stack.channel.model_dump()
    if stack.source is not None and stack.source.path is not None:
        data["source"]["path"] = _relative(stack.source.path, folder)
    if stack.source is not None and stack.source.git is not None and stack.source.git.startswith("/"):
        data["source"]["git"] = _relative(Path(stack.source.git), folder)
    for name, secret in stack.secrets.items():
        if secret.file is not None:
            data["secrets"][name]["file"] = _relative(secret.file, folder)
    for kind, name, unit in stack.units():
        table = data[_SECTION[kind]][name]
        _shorten(table, unit, stack, folder)
        config = stack.config(name)
        if config is not None and config.path is not None:
            table["config"] = _relative(config.path, folder)
    origin = _Origin(document, frozenset(public))
    escaped = {key: _escaped(value, (key,)) for key, value in data.items()}
    return _in_order(_table(escaped, (), origin))


def written(document: Document, public: Collection[str]) -> dict[str, object]:
    """Return what a file says by itself in canonical form: anchors resolved, but neither variables nor defaults.

    The file need not be valid; a value under a key that means nothing counts as a secret. `public` is as in `resolved`.
    """
    data = document.data if isinstance(document.data, dict) else {}
    origin = _Origin(document, frozenset(public))
    kept = {key: value for key, value in data.items() if not key.startswith("x-")}
    return _in_order(_table(kept, (), origin))


def to_yaml(data: Mapping[str, object]) -> str:
    """Return canonical data as the text of a stack file."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=1000)


def to_json(data: Mapping[str, object]) -> str:
    """Return canonical data as JSON, indented, with a final newline."""
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


class _Dumper(yaml.CSafeDumper):
    """Puts text in quotes that a reader of YAML 1.2 would not take for text."""


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    # where a text holds what is not seen, an escape says so, and an escape it is in quotes only
    is_plain = loader.is_text(text) and text.replace("\n", "").isprintable()
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_plain else '"')


_Dumper.add_representer(str, _represent_text)


class _Origin:
    """What stands in the files, before variables were replaced and defaults merged; and which keys are public."""

    def __init__(self, document: Document, public: frozenset[str]) -> None:
        if document.base is not None and isinstance(document.data, dict):
            data = copy.deepcopy(document.data)
            inheritance.anchor(data, document, folder=document.folder)
            document = replace(document, data=data)
        self._document = document
        self.public = public

    def at(self, parts: Sequence[str]) -> object:
        found = self._document.at(parts)
        if found is not None or len(parts) <= _UNIT_KEY or parts[0] not in SECTIONS:
            return found
        return self._document.at(parts[2:] if parts[2] == "env" else ("defaults", *parts[2:]))

    def is_simulated(self, parts: Sequence[str]) -> bool:
        return self._document.at((*parts[:2], "type")) == SIM


def _relative(path: Path, folder: Path) -> str:
    return os.path.relpath(path, folder)


def _shorten(data: dict[str, Any], unit: Connector | Service | Bot, stack: Stack, folder: Path) -> None:
    """Leave out of a merged unit what merging would put in again."""
    cwd = _relative(unit.cwd, folder)
    data["cwd"] = cwd
    if cwd == ".":
        del data["cwd"]
    if isinstance(unit, Connector):
        if unit.features == (unit.type,):
            data.pop("features", None)
        return
    if unit.binary == unit.package:
        data.pop("bin", None)
    if isinstance(unit, Bot):
        data["attached"] = unit.attached
        if unit.attached == any(name in stack.connectors for name in unit.depends_on):
            del data["attached"]


def _escaped(value: object, parts: tuple[str, ...]) -> object:
    if isinstance(value, str):
        return interpolation.escape(value, parts)
    if isinstance(value, dict):
        return {key: _escaped(item, (*parts, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item, (*parts, str(index))) for index, item in enumerate(value)]
    return value


def _table(value: Mapping[str, object], parts: tuple[str, ...], origin: _Origin) -> dict[str, object]:
    table: dict[str, object] = {}
    for key, item in value.items():
        shown = key_shown((*parts, key))
        while shown in table:
            shown += "…"
        table[shown] = _redacted(item, (*parts, key), origin)
    return table


def _redacted(value: object, parts: tuple[str, ...], origin: _Origin) -> object:
    if isinstance(value, dict):
        return _table(value, parts, origin)
    if isinstance(value, list):
        return [_redacted(item, (*parts, str(index)), origin) for index, item in enumerate(value)]
    found = origin.at(parts)
    written = found if isinstance(found, str) and "${" in found else None
    shown = not _may_be_secret(parts) or _is_public(value, parts, origin)
    if written is not None and (shown or interpolation.refers(written)):
        return written
    return value if shown or value in (None, "") else REDACTED


def _may_be_secret(parts: tuple[str, ...]) -> bool:
    if holds_secrets(parts):
        return True
    known = parts[2] in _UNIT_ORDER if parts[0] in SECTIONS and len(parts) >= _UNIT_KEY else parts[0] in _KEY_ORDER
    return not known


def _is_public(value: object, parts: tuple[str, ...], origin: _Origin) -> bool:
    """Tell whether a value, although it stands among secrets, is none that a reviewer may not see."""
    key = parts[-1]
    if parts[0] == "secrets":
        return len(parts) >= _UNIT_KEY and parts[2] in Secret.model_fields
    if parts == ("source", "git"):
        return isinstance(value, str) and is_public_url(value)
    if "env" in parts[:-1]:
        return key in PUBLIC_ENV
    if parts[0] not in SECTIONS or parts[2:3] != ("config",):
        return False
    if len(parts) == _UNIT_KEY:
        return isinstance(value, str) and value.endswith(".toml")
    if origin.is_simulated(parts):
        return True
    return key in origin.public and ("://" not in str(value) or is_plain_url(str(value)))


def is_plain_url(text: str) -> bool:
    """Tell whether a URL of an exchange has nothing in it that could be a key."""
    scheme, separator, rest = text.partition("://")
    return bool(separator) and scheme in {"ws", "wss", "http", "https"} and not set("@?#$").intersection(rest)


def _in_order(data: Mapping[str, object]) -> dict[str, object]:
    return {key: _ordered(data[key], (key,)) for key in _ranked(data, _KEY_ORDER)}


def _ordered(value: object, parts: tuple[str, ...]) -> object:
    if isinstance(value, list):
        return [_ordered(item, (*parts, str(index))) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    names = sorted(value) if _BY_NAME.intersection(parts) else list(value)
    if len(parts) == _UNIT_KEY - 1 and parts[0] in SECTIONS:
        names = _ranked(value, _UNIT_ORDER)
    return {name: _ordered(value[name], (*parts, name)) for name in names}


def _ranked(table: Mapping[str, object], order: Sequence[str]) -> list[str]:
    rank = {key: position for position, key in enumerate(order)}
    return sorted(table, key=lambda key: (rank.get(key, len(rank)), key))
