"""What a check found, and what a check may look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.build import BuildRequest
    from orchestrator.deployment.homes import StackHome
    from orchestrator.deployment.model import Deployment
    from orchestrator.errors import Diagnostic
    from orchestrator.resolve.configs import Configs
    from orchestrator.stack.model import Stack
    from orchestrator.stack.parts import Secret


class Verdict(StrEnum):
    """How well it is. BAD: a start would fail or harm, or something is broken. WARNING: it works, and may hurt."""

    OK = "ok"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One verdict, with its cure where it is not well. `where` is the unit that it is about."""

    verdict: Verdict
    message: str
    cure: str | None = None
    where: str | None = None


@dataclass(frozen=True, slots=True)
class Host:
    """Where the machine tells of itself. `root` is where its file system begins: a test has one of its own."""

    root: Path = Path("/")
    shared_memory: Path = Path("/dev/shm")  # noqa: S108 - where iceoryx2 puts its segments

    def text(self, path: str) -> str | None:
        """Return a small file of the machine, stripped; None when it cannot be read."""
        try:
            return (self.root / path.lstrip("/")).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return None

    def files(self, pattern: str) -> list[Path]:
        """Return the files that match a pattern, sorted."""
        try:
            return sorted(self.root.glob(pattern.lstrip("/")))
        except OSError:
            return []

    @property
    def has_systemd(self) -> bool:
        """Whether systemd is what runs this machine (sd_booted(3))."""
        return (self.root / "run/systemd/system").is_dir()


@dataclass(frozen=True, slots=True)
class Case:
    """What is to be judged: a stack, resolved as far as that needs no build, on a machine.

    `running` maps the stack's units that run already to their pid; `supervisor` is the pid of its supervisor. `home` is
    None where no stack is meant; `build` is what cargo would be asked for, None where nothing needs it;
    `secrets` are the sources of those that a start needs; `remarks` are what the rules warn of in its file. `configs`
    are those that are not written yet; `sharing` are the units with a reason to share an order prefix.
    """

    deployment: Deployment
    home: StackHome | None
    environ: Mapping[str, str]
    running: Mapping[str, int] = field(default_factory=dict)
    supervisor: int | None = None
    host: Host = field(default_factory=Host)
    build: BuildRequest | None = None
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    remarks: tuple[Diagnostic, ...] = ()
    configs: Configs | None = None
    sharing: frozenset[str] = frozenset()


def sharing(stack: Stack) -> frozenset[str]:
    """Return the units that the stack file gives a reason to share an order prefix."""
    return frozenset(name for _, name, unit in stack.units() if "shared-prefix" in unit.ignore)


def ok(message: str, where: str | None = None) -> Finding:
    """Return that something is well."""
    return Finding(Verdict.OK, message, where=where)


def warning(message: str, cure: str, where: str | None = None) -> Finding:
    """Return what may hurt."""
    return Finding(Verdict.WARNING, message, cure, where)


def bad(message: str, cure: str, where: str | None = None) -> Finding:
    """Return what is broken."""
    return Finding(Verdict.BAD, message, cure, where)
