"""Which programs of a stack cargo has to build, and which earlier build of them can be used again."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from orchestrator.build import CONNECTOR, BuildRequest, BuildResult, Program, Repository, StoredBinary
from orchestrator.deployment import codec
from orchestrator.deployment.changes import UNBUILT, UNBUILT_FOLDER
from orchestrator.deployment.model import Deployment
from orchestrator.errors import BuildError
from orchestrator.resolve.environment import secret_variables
from orchestrator.stack.model import SIM, Connector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestrator.deployment.homes import StackHome
    from orchestrator.stack.model import Bot, Service, Stack


def program_of(unit: Connector | Service | Bot) -> Program | None:
    """Return what cargo builds for the unit, None for a unit that needs no cargo."""
    if isinstance(unit, Connector):
        return None if unit.type == SIM or unit.external else CONNECTOR
    return Program(unit.package, unit.binary or "") if unit.package is not None else None


def build_request(stack: Stack, *, home: StackHome) -> BuildRequest | None:
    """Return the one build that all units of the stack need, None when nothing needs cargo."""
    programs = tuple(sorted({program for _, _, unit in stack.units() if (program := program_of(unit)) is not None}))
    if not programs:
        return None
    built = [connector for connector in stack.connectors.values() if program_of(connector) is not None]
    return BuildRequest(
        start=stack.file.parent,
        store=home.binaries,
        programs=programs,
        source=stack.source.path if stack.source else None,
        repository=_repository(stack, home),
        features=tuple(sorted({feature for connector in built for feature in connector.features})),
        default_features=stack.build.default_features,
        profile=stack.build.profile,
        env=stack.build.env,
        rustflags=stack.build.rustflags,
        hidden=secret_variables(stack),
        locked=stack.build.locked,
    )


def _repository(stack: Stack, home: StackHome) -> Repository | None:
    source = stack.source
    if source is None or source.git is None or source.rev is None:
        return None
    return Repository(source.git, source.rev, home.home.sources)


def reuse(stack: Stack, *, home: StackHome) -> BuildResult | None:
    """Return the binaries of an earlier build: those that are deployed, else the newest stored; None without cargo.

    Raises BuildError when there is none, or when its bytes have changed. Nobody can tell which features are in it.
    """
    return _earlier(stack, home, _verified)


def expected(stack: Stack, *, home: StackHome) -> BuildResult | None:
    """Return the binaries of an earlier build as `reuse` does; one that there is none of has no digest yet.

    Raises BuildError when the bytes of a stored one have changed.
    """

    def known(stored: Path | None, program: Program) -> StoredBinary:
        if stored is not None:
            return _verified(stored, program)
        return StoredBinary(home.binaries / UNBUILT_FOLDER / (program.binary or program.package), UNBUILT)

    return _earlier(stack, home, known)


def _earlier(
    stack: Stack, home: StackHome, known: Callable[[Path | None, Program], StoredBinary]
) -> BuildResult | None:
    """Return what `known` makes of each program's binary of an earlier build."""
    request = build_request(stack, home=home)
    if request is None:
        return None
    deployed = _deployed(home)
    binaries = {}
    for program in request.programs:
        units = [name for _, name, unit in stack.units() if program_of(unit) == program]
        binaries[program] = known(next(_candidates(program, units, deployed, home), None), program)
    return BuildResult(
        binaries=MappingProxyType(binaries),
        features=request.features,
        workspace=request.source or request.start,
        seconds=0.0,
        rebuilt=False,
    )


def _deployed(home: StackHome) -> Deployment | None:
    try:
        return codec.decode(Deployment, home.deployment.read_bytes())
    except (OSError, codec.DecodeError):
        return None


def _candidates(program: Program, units: list[str], deployed: Deployment | None, home: StackHome) -> Iterator[Path]:
    names = {program.binary or program.package}
    for unit in deployed.units if deployed else ():
        if unit.executable is None:
            continue
        executable = Path(unit.executable.path)
        if executable.is_relative_to(home.binaries) and (unit.name in units or executable.name in names):
            yield executable
    stored = [path for name in names for path in home.binaries.glob(f"*/{name}")]
    yield from sorted(stored, key=lambda path: path.stat().st_mtime_ns, reverse=True)


def _verified(path: Path | None, program: Program) -> StoredBinary:
    if path is None:
        raise BuildError(f"no stored binary of {program}", hint="run without --no-build once")
    sha256 = path.parent.name
    try:
        with path.open("rb") as reader:
            actual = hashlib.file_digest(reader, "sha256").hexdigest()
    except OSError as error:
        raise BuildError(
            f"cannot read the stored binary of {program}: {error.strerror}",
            where=str(path),
            hint="run without --no-build once",
        ) from None
    if actual != sha256:
        raise BuildError(
            f"the stored binary of {program} was changed after it was stored",
            where=str(path),
            hint="run without --no-build: it will be replaced",
        )
    return StoredBinary(path, sha256)
