"""What lies between two deployments, as the supervisor applies it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from orchestrator.deployment.model import Deployment, UnitSpec

_ADOPTED: Final = (
    "depends_on",
    "health",
    "restart",
    "grace",
    "ready",
    "target",
    "streams",
    "attaches",
    "hooks",
    "logs",
)
_RESTARTED: Final = ("external", "kind", "argv", "cwd", "env", "channel", "resources")


@dataclass(frozen=True, slots=True)
class Difference:
    """Names of the units of two deployments, each in exactly one field, in the order of the deployment it is from.

    `restarted` maps a unit to the fields that only a new process can take up; `adopted` to those that a running one
    takes up at once.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    restarted: dict[str, tuple[str, ...]]
    adopted: dict[str, tuple[str, ...]]
    kept: tuple[str, ...]


def needs_restart(old: UnitSpec, new: UnitSpec) -> tuple[str, ...]:
    """Return the fields that differ and that only a new process can take up.

    With `external` among them the two have no process in common: the old one is stopped or let go, as a unit that is
    removed, and the new one is started or watched, as a unit that is added.
    """
    fields = [name for name in _RESTARTED if getattr(old, name) != getattr(new, name)]
    if _digest(old) != _digest(new):
        fields.append("executable")
    if old.code is not None and new.code is not None and old.code != new.code:
        fields.append("code")
    if [file.sha256 for file in old.files] != [file.sha256 for file in new.files]:
        fields.append("config")
    return tuple(fields)


def _digest(unit: UnitSpec) -> str | None:
    return None if unit.executable is None else unit.executable.sha256


def looked_at(old: UnitSpec, new: UnitSpec) -> UnitSpec:
    """Return `old` with the code of `new` where nobody looked at its own: that is no change."""
    return replace(old, code=new.code) if old.code is None else old


def difference(old: Deployment | None, new: Deployment) -> Difference:
    """Return what changes from `old`, None when nothing is deployed, to `new`."""
    before = {} if old is None else {unit.name: unit for unit in old.units}
    after = {unit.name: unit for unit in new.units}
    restarted: dict[str, tuple[str, ...]] = {}
    adopted: dict[str, tuple[str, ...]] = {}
    kept = []
    for name, unit in after.items():
        if name not in before:
            continue
        fields = needs_restart(before[name], unit)
        live = tuple(field for field in _ADOPTED if getattr(before[name], field) != getattr(unit, field))
        if fields:
            restarted[name] = (*fields, *live)
        elif live:
            adopted[name] = live
        else:
            kept.append(name)
    return Difference(
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        restarted=restarted,
        adopted=adopted,
        kept=tuple(kept),
    )
