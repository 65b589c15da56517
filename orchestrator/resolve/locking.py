"""What a stack would be locked as: its source, its binaries, its configs without their secrets."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

from orchestrator.deployment.lockfile import Lock
from orchestrator.resolve.commands import Commands
from orchestrator.resolve.error import ResolveError
from orchestrator.stack.model import SIM, Bot, Connector
from orchestrator.stack.templates import Template
from orchestrator.venue.models import PUBLIC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.build import BuildRequest, BuildResult, Program, Provenance
    from orchestrator.stack.model import Stack

_HIDDEN: Final = "<redacted>"


def programs(stack: Stack, *, all_there: bool) -> dict[str, str]:
    """Return the digest of what each unit runs whose command names its program by a path.

    One that is found on the PATH is the machine's, and no two machines need have the same. Raises ResolveError for one
    that is not there, unless that is no fault: `all_there` is false.
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


def found(
    stack: Stack,
    request: BuildRequest | None,
    provenance: Provenance | None,
    binaries: BuildResult | None,
    programs: Mapping[str, str],
) -> Lock:
    """Return the lock of a loaded stack.

    Args:
        stack: what was loaded.
        request: what cargo would build; None when nothing needs it.
        provenance: what that is made of, None when it is not known.
        binaries: what cargo built, None when it is not known.
        programs: what `programs` returned.
    """
    configs = {
        name: _digest(config.table, simulated=isinstance(unit, Connector | Bot) and unit.type == SIM)
        for _, name, unit in stack.units()
        if (config := stack.config(name)) is not None
    }
    if request is None:
        return Lock(stack=stack.name, network=stack.network, configs=configs, programs=dict(programs))
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
        programs=dict(programs),
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
    return value if public or isinstance(value, Template) or value == "" else _HIDDEN
