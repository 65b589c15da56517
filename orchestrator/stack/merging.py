"""Putting a file's `defaults:` and `env:` under what each unit says itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from orchestrator.stack.model import SIM, Bot, Connector, Program, Stack, Unit
from orchestrator.stack.parts import Part, Restart, Secret, Source

if TYPE_CHECKING:
    from collections.abc import Collection

_P = TypeVar("_P", bound=Part)
_U = TypeVar("_U", bound=Unit)
_Q = TypeVar("_Q", bound=Program)


def overlay(own: _P, defaults: Part, *, except_for: Collection[str] = ()) -> _P:
    """Return `own` with what it does not set itself taken from what `defaults` sets."""
    taken: dict[str, object] = {}
    for name in defaults.model_fields_set:
        if name in except_for:
            continue
        mine, theirs = getattr(own, name), getattr(defaults, name)
        if isinstance(mine, Part) and isinstance(theirs, Part):
            taken[name] = overlay(mine, theirs)
        elif name not in own.model_fields_set:
            taken[name] = theirs
    return own.model_copy(update=taken) if taken else own


def _common(stack: Stack, unit: _U, folder: Path) -> _U:
    defaults = stack.defaults
    # What trades is started again, and has its time to flatten cut, only when its own block says so.
    kept = ("policy", "grace", "max_age", "window") if isinstance(unit, Bot) else ()
    restart: Restart = overlay(unit.restart, defaults.restart, except_for=kept)
    return unit.model_copy(
        update={
            "cwd": absolute(folder, unit.cwd),
            "env": {**stack.env, **unit.env},
            "restart": restart,
            "health": overlay(unit.health, defaults.health),
            "stop": overlay(unit.stop, defaults.stop, except_for=kept),
            "hooks": overlay(unit.hooks, defaults.hooks),
            "logs": overlay(unit.logs, defaults.logs),
        }
    )


def _connector(stack: Stack, unit: Connector, folder: Path) -> Connector:
    if unit.external:
        health = overlay(unit.health, stack.defaults.health)
        return unit.model_copy(update={"cwd": absolute(folder, unit.cwd), "health": health})
    complete = _common(stack, unit, folder)
    if unit.type == SIM or unit.features:
        return complete
    return complete.model_copy(update={"features": (unit.type,)})


def _program(unit: _Q) -> _Q:
    if unit.package is None or unit.binary is not None:
        return unit
    return unit.model_copy(update={"binary": unit.package})


def _bot(unit: Bot, connectors: Collection[str]) -> Bot:
    if "attached" in unit.model_fields_set:
        return unit
    return unit.model_copy(update={"attached": any(name in connectors for name in unit.depends_on)})


def is_folder(git: str) -> bool:
    """Tell whether a repository is named by a path: neither by a URL nor as HOST:PATH."""
    return "://" not in git and ":" not in git.partition("/")[0]


def _source(source: Source, folder: Path) -> Source:
    if source.path is not None:
        return source.model_copy(update={"path": absolute(folder, source.path)})
    if source.git is not None and is_folder(source.git):
        return source.model_copy(update={"git": str(absolute(folder, Path(source.git)))})
    return source


def _secret(secret: Secret, folder: Path) -> Secret:
    return secret if secret.file is None else secret.model_copy(update={"file": absolute(folder, secret.file)})


def absolute(folder: Path, path: Path) -> Path:
    """Return `path`, which is relative to the stack file's `folder`, as an absolute one without `..`."""
    return Path(os.path.normpath(folder / path))


def merge(stack: Stack, *, folder: Path) -> Stack:
    """Return the stack with complete units: defaults, environment and absolute paths filled in."""
    return stack.model_copy(
        update={
            "source": None if stack.source is None else _source(stack.source, folder),
            "secrets": {name: _secret(secret, folder) for name, secret in stack.secrets.items()},
            "connectors": {name: _connector(stack, unit, folder) for name, unit in stack.connectors.items()},
            "services": {name: _program(_common(stack, unit, folder)) for name, unit in stack.services.items()},
            "bots": {
                name: _bot(_program(_common(stack, unit, folder)), stack.connectors)
                for name, unit in stack.bots.items()
            },
        }
    )
