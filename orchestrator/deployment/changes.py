"""What differs between two specs of a unit, or two deployments, field by field, as a reviewer may see it. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Final

from orchestrator.deployment import codec
from orchestrator.deployment.diff import needs_restart
from orchestrator.deployment.model import UnitSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from orchestrator.deployment.model import Deployment

UNBUILT_FOLDER: Final = "unbuilt"
"""Stands for the digest in the path of a binary that is not there yet."""

UNBUILT: Final = ""
"""The digest of a binary that is not there yet."""

_SHOWN: Final = 8
_APART: Final = frozenset({"argv", "code", "env", "executable", "files", "given", "hooks", "name"})
"""Fields that have a way of their own."""


@dataclass(frozen=True, slots=True)
class Shown:
    """How values may be shown.

    `variable` makes a variable's name and value a text that tells no secret, `hidden` any value. `tables` are the
    configs by their path, by key, each value as it may be shown.
    """

    variable: Callable[[str, str], str]
    hidden: Callable[[str], str]
    tables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """One field: None is what is not there. `restarts`: only a new process can take it up."""

    field: str
    old: str | None
    new: str | None
    restarts: bool


def changes(old: UnitSpec, new: UnitSpec, shown: Shown) -> tuple[Change, ...]:
    """Return what differs, in the order of the fields."""
    restarting = set(needs_restart(old, new))
    given = frozenset((*old.given, *new.given))
    found: list[Change] = []
    for name, ours, theirs in (
        ("argv", _argv(old, given, shown), _argv(new, given, shown)),
        ("executable", _executable(old), _executable(new)),
        ("code", _code(old), _code(new)),
        ("env", _variables(old, shown), _variables(new, shown)),
    ):
        found.extend(_between(name, ours, theirs, restarts=name in restarting))
    found.extend(_configs(old, new, shown))
    for item in fields(UnitSpec):
        if item.name not in _APART:
            pair = [_flat(getattr(side, item.name)) for side in (old, new)]
            if item.name in given:
                pair = [{key: shown.hidden(text) for key, text in side.items()} for side in pair]
            found.extend(_between(item.name, *pair, restarts=item.name in restarting))
    hooks = [{"": shown.hidden(codec.encode(side.hooks))} for side in (old, new)]
    if old.hooks != new.hooks:
        found.extend(_between("hooks", *hooks, restarts=False))
    return tuple(found)


def settings(old: Deployment, new: Deployment, shown: Shown) -> tuple[Change, ...]:
    """Return what differs besides the units and what they were read from: the supervisor takes it up at once."""
    ours, theirs = (
        {"network": side.network, "rollback": side.rollback, **_notified(side, shown)} for side in (old, new)
    )
    return differing(ours, theirs)


def differing(old: Mapping[str, object], new: Mapping[str, object]) -> tuple[Change, ...]:
    """Return what differs between two trees of values that may be shown, none of which is a unit's."""
    return tuple(_between("", _flat(old), _flat(new), restarts=False))


def _notified(deployment: Deployment, shown: Shown) -> dict[str, object]:
    notify = deployment.notify
    if notify is None:
        return {}
    program, *words = notify.hook.argv
    command = f"{program} {shown.hidden(json.dumps(words))}" if words else program
    env = {key: shown.variable(key, value) for key, value in notify.hook.env}
    return {"notify": {"command": command, "on": notify.on, "timeout": notify.hook.timeout, "env": env}}


def _between(name: str, old: Mapping[str, str], new: Mapping[str, str], *, restarts: bool) -> list[Change]:
    keys = [*old, *(key for key in new if key not in old)]
    return [
        Change(f"{name}.{key}" if name and key else name or key, old.get(key), new.get(key), restarts)
        for key in keys
        if old.get(key) != new.get(key)
    ]


def _argv(unit: UnitSpec, given: Collection[str], shown: Shown) -> dict[str, str]:
    """Return the words; a path that holds a digest stands for what the digest tells by itself."""
    known = {file.path: "(config)" for file in unit.files}
    stored = unit.executable
    if stored is not None and {stored.sha256, UNBUILT_FOLDER}.intersection(stored.path.strip("/").split("/")):
        known[stored.path] = "(binary)"
    words = [
        shown.hidden(word) if f"argv.{index}" in given else known.get(word, word)
        for index, word in enumerate(unit.argv)
    ]
    return {"": json.dumps(words, ensure_ascii=False)}


def _executable(unit: UnitSpec) -> dict[str, str]:
    stored = unit.executable
    if stored is None or (stored.sha256 == UNBUILT and UNBUILT_FOLDER not in stored.path.split("/")):
        return {}
    return {"": stored.sha256[:_SHOWN] if stored.sha256 != UNBUILT else "to be built"}


def _code(unit: UnitSpec) -> dict[str, str]:
    return {_beside(file.path, unit.cwd): file.sha256[:_SHOWN] for file in unit.code or ()}


def _beside(path: str, folder: str) -> str:
    return path.removeprefix(f"{folder.rstrip('/')}/")


def _variables(unit: UnitSpec, shown: Shown) -> dict[str, str]:
    paths = {file.path for file in unit.files}
    return {key: "(config)" if value in paths else shown.variable(key, value) for key, value in unit.env}


def _configs(old: UnitSpec, new: UnitSpec, shown: Shown) -> list[Change]:
    """Return the keys that differ, by the place of the config among the unit's."""
    found: list[Change] = []
    for index in range(max(len(old.files), len(new.files))):
        sides = [unit.files[index] if index < len(unit.files) else None for unit in (old, new)]
        if sides[0] is not None and sides[1] is not None and sides[0].sha256 == sides[1].sha256:
            continue
        tables = [None if side is None else shown.tables.get(side.path) for side in sides]
        if all(table is not None or side is None for table, side in zip(tables, sides, strict=True)):
            keys = _between("config", tables[0] or {}, tables[1] or {}, restarts=True)
            if keys:
                found.extend(keys)
                continue
        before, after = (None if side is None else side.sha256[:_SHOWN] for side in sides)
        found.append(Change("config", before, after, restarts=True))
    return found


def _flat(value: object) -> dict[str, str]:
    plain = codec.plain(value)
    if not isinstance(plain, dict):
        return {"": json.dumps(plain, ensure_ascii=False)}
    found = {}
    for key, item in plain.items():
        for inner, text in _flat(item).items():
            found[f"{key}.{inner}" if inner else key] = text
    return found
