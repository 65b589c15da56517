"""What a stack would be locked as: its source, its binaries, its configs without their secrets."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestrator.deployment.lockfile import Lock
from orchestrator.resolve.commands import Commands
from orchestrator.resolve.error import ResolveError
from orchestrator.stack.canonical import is_plain_url
from orchestrator.stack.model import SIM, Bot, Connector
from orchestrator.stack.templates import Template
from orchestrator.venue.models import PUBLIC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.build import BuildRequest, BuildResult, Program, Provenance
    from orchestrator.stack.model import Stack

_HIDDEN: Final = "<redacted>"


class Named(NamedTuple):
    """What commands name: programs by unit, code by unit and path. Digests."""

    programs: dict[str, str]
    code: dict[str, str]


def named(stack: Stack, *, all_there: bool) -> Named:
    """Return what the commands of a stack name by a path.

    Raises ResolveError for a program that is not there, unless that is no fault: `all_there` is false.
    """
    return Named(_programs(stack, all_there=all_there), _code(stack))


def _programs(stack: Stack, *, all_there: bool) -> dict[str, str]:
    """Return the digest of what each unit runs whose command names its program by a path.

    One that is found on the PATH is the machine's, and no two machines need have the same.
    """
    digests = {}
    commands = Commands("")
    for _, name, unit in stack.units():
        if isinstance(unit, Connector) or not unit.command or "/" not in unit.command[0]:
            continue
        try:
            digests[name] = commands.resolve(unit.command, unit.cwd)[1].sha256
        except ResolveError as error:
            if all_there:
                error.where = name
                raise
    return digests


def _code(stack: Stack) -> dict[str, str]:
    """Return the digests of the code that arguments of commands name, by unit and path.

    A path is relative to the stack file, unless the command has all of it.
    """
    digests = {}
    commands = Commands("")
    for _, name, unit in stack.units():
        if isinstance(unit, Connector):
            continue
        for word in unit.args if unit.command is None else unit.command[1:]:
            for file in commands.code([word], unit.cwd):
                path = file.path if file.path in word else os.path.relpath(file.path, stack.file.parent)
                digests[f"{name} {path}"] = file.sha256
    return digests


def found(
    stack: Stack,
    request: BuildRequest | None,
    provenance: Provenance | None,
    binaries: BuildResult | None,
    commands: Named,
) -> Lock:
    """Return the lock of a loaded stack.

    Args:
        stack: what was loaded.
        request: what cargo would build; None when nothing needs it.
        provenance: what that is made of, None when it is not known.
        binaries: what cargo built, None when it is not known.
        commands: what `named` returned.
    """
    configs = {
        name: _digest(config.table, simulated=isinstance(unit, Connector | Bot) and unit.type == SIM)
        for _, name, unit in stack.units()
        if (config := stack.config(name)) is not None
    }
    if request is None:
        return Lock(stack.name, stack.network, configs=configs, programs=commands.programs, code=commands.code)
    return Lock(
        stack=stack.name,
        network=stack.network,
        source=None if request.repository is None else request.repository.url,
        revision=None if provenance is None else provenance.revision,
        cargo_lock=None if provenance is None else provenance.cargo_lock,
        toolchain=None if provenance is None else provenance.rustc,
        cargo=None if provenance is None else provenance.cargo,
        iceoryx2=None if provenance is None else provenance.iceoryx2,
        profile=request.profile,
        features=request.features,
        default_features=request.default_features,
        rustflags=request.rustflags,
        binaries=(
            {} if binaries is None else {_name(program): binary.sha256 for program, binary in binaries.binaries.items()}
        ),
        configs=configs,
        programs=commands.programs,
        code=commands.code,
    )


def _name(program: Program) -> str:
    return program.package if program.binary in {"", program.package} else str(program)


def _digest(table: Mapping[str, object], *, simulated: bool) -> str:
    """Return a config's digest: of all that a reviewer may see, with the names of secrets and without their values."""
    text = json.dumps(_shown(dict(table), public=simulated), sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _shown(value: object, *, public: bool) -> object:
    if isinstance(value, dict):
        return {key: _shown(item, public=public or key in PUBLIC) for key, item in value.items()}
    if isinstance(value, list):
        return [_shown(item, public=public) for item in value]
    if public or isinstance(value, Template) or value == "" or not isinstance(value, str) or is_plain_url(value):
        return value
    return _HIDDEN  # a text, of which nobody knows what it is
