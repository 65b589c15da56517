"""What a stack needs from cargo, and what it got."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from orchestrator.build.store import StoredBinary


@dataclass(frozen=True, slots=True, order=True)
class Program:
    """A binary target of a workspace package.

    An empty `binary` means the package's only one, its `default-run`, or the one named like the package.
    """

    package: str
    binary: str = ""

    def __str__(self) -> str:
        return f"{self.package}:{self.binary}" if self.binary else self.package


CONNECTOR: Final = Program("connector")
"""The connector program; upstream names both the package and its binary so (hftbacktest, connector/Cargo.toml)."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A git repository at one commit, named in full; `cache` is the folder that keeps checkouts."""

    url: str
    commit: str
    cache: Path


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """One build of one workspace.

    Args:
        start: folder of the stack file, where the walk up for a workspace begins.
        store: folder that keeps binaries by digest; None leaves them where cargo put them.
        source: workspace that the stack file names, absolute.
        repository: what to check out and build, instead of `source`.
        programs: what to build; the features concern CONNECTOR only.
        features: union of the features of all connectors.
        env: `build.env`, over the caller's environment.
        hidden: variables that cargo, and what it runs of others, must not see: those that hold secrets.
        locked: None means `--locked` wherever a Cargo.lock exists.
        again: compile the programs' own packages even when cargo finds nothing changed.
    """

    start: Path
    store: Path | None
    programs: tuple[Program, ...] = (CONNECTOR,)
    source: Path | None = None
    repository: Repository | None = None
    features: tuple[str, ...] = ()
    default_features: bool = True
    profile: str = "release"
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    rustflags: tuple[str, ...] = ()
    hidden: frozenset[str] = frozenset()
    locked: bool | None = None
    again: bool = False

    def visible(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the caller's environment without what is hidden."""
        return {key: value for key, value in environ.items() if key not in self.hidden}


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What cargo left; `seconds` is the time of the whole build, `rebuilt` tells whether it compiled anything."""

    binaries: Mapping[Program, StoredBinary]
    features: tuple[str, ...]
    workspace: Path
    seconds: float
    rebuilt: bool
    warnings: tuple[str, ...] = ()
