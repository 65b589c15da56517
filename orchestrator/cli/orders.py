"""What `start`, `stop` and `restart` are about: a stack that was up, and units of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.cli import target
from orchestrator.control.client import NotSupervisedError
from orchestrator.deployment.model import Kind
from orchestrator.errors import UsageError
from orchestrator.observe import selection
from orchestrator.supervise.graph import Graph, below, needed
from orchestrator.supervise.unit import Unit

if TYPE_CHECKING:
    from orchestrator.deployment.homes import StackHome
    from orchestrator.deployment.model import UnitSpec


@dataclass(frozen=True, slots=True)
class Meant:
    """The units that were named, among all of the stack."""

    home: StackHome
    names: tuple[str, ...]
    specs: dict[str, UnitSpec]
    units: tuple[dict[str, Any], ...]

    def needed(self) -> list[UnitSpec]:
        """Return them and what they need, dependencies first."""
        return [self.specs[name] for name in needed(self.specs, self.names)]

    def touched(self) -> list[UnitSpec]:
        """Return them, what they need and what hangs below them, dependencies first."""
        hanging = below(Graph(self.specs, dict.fromkeys(self.specs, Unit())), self.names)
        found = {*needed(self.specs, self.names), *hanging}
        return [spec for name, spec in self.specs.items() if name in found]

    def up(self) -> list[str]:
        """Return the units that are at their target."""
        return [unit["name"] for unit in self.units if unit["wanted"] and unit["reached"]]

    def kind(self, name: str) -> Kind:
        """Return a unit's kind, also of one that the stack is about to lose."""
        return next((Kind(unit["kind"]) for unit in self.units if unit["name"] == name), Kind.BOT)


def meant(stack: str | None, names: tuple[str, ...], *, starts: bool = False) -> Meant:
    """Return what is meant. Raises UsageError for an unknown stack or unit, NotSupervisedError.

    `starts`: units are to be started, which a halt forbids. Raises RefusedError then.
    """
    from orchestrator.engine.connection import reach  # noqa: PLC0415 - help and completion need not pay
    from orchestrator.supervise import halt, records  # noqa: PLC0415

    home = supervised(stack, starts=starts)
    if starts:
        halt.refuse(home)
    deployment = records.read_deployment(home.deployment)
    specs = {} if deployment is None else {spec.name: spec for spec in deployment.units}
    selection.check_units(home.name, names, tuple(specs))
    with reach(home) as client:
        return Meant(home, names, specs, tuple(client.call("status")["units"]))


def supervised(stack: str | None, *, starts: bool = False) -> StackHome:
    """Return the stack that is meant. Raises NotSupervisedError when none is named and none runs, UsageError.

    `starts`: none runs because of a halt. Raises RefusedError then.
    """
    try:
        return target.find(stack)
    except UsageError as error:
        if stack is None and error.message == selection.NONE_RUNS:
            if starts:
                _refuse_halted()
            raise NotSupervisedError(error.message, hint=error.hint) from None
        raise


def _refuse_halted() -> None:
    from orchestrator.supervise import halt  # noqa: PLC0415 - help and completion need not pay

    home = target.home()
    every = halt.read(home)
    if every is not None:
        raise halt.refusal("", every)
