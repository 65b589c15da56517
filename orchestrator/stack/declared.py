"""The units as they stand in a stack file: plain data, which may be malformed, and where each stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from orchestrator.deployment.model import Kind
from orchestrator.stack import pointer as json_pointer

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS: Final = {"connectors": Kind.CONNECTOR, "services": Kind.SERVICE, "bots": Kind.BOT}
"""The kind of unit that each section of the file declares."""


class Need(NamedTuple):
    """An edge as it stands in the file."""

    name: str
    pointer: str
    on_key: bool
    condition: object


class DeclaredUnit(NamedTuple):
    """A unit as it stands in the file."""

    kind: Kind
    name: str
    pointer: str
    data: dict[str, object]

    def at(self, key: str) -> str:
        """Return the pointer of one of its keys."""
        return json_pointer.child(self.pointer, key)

    def needs(self) -> list[Need]:
        """Return what it depends on, in either of the two ways to write it."""
        value = self.data.get("depends_on")
        pointer = self.at("depends_on")
        if isinstance(value, list):
            return [
                Need(name, json_pointer.child(pointer, index), on_key=False, condition=None)
                for index, name in enumerate(value)
                if isinstance(name, str)
            ]
        if isinstance(value, dict):
            return [
                Need(
                    name,
                    json_pointer.child(pointer, name),
                    on_key=True,
                    condition=how.get("condition") if isinstance(how, dict) else None,
                )
                for name, how in value.items()
            ]
        return []


class View(NamedTuple):
    """All units of a file, of which kind a name is, and what `defaults` says of restarts."""

    units: tuple[DeclaredUnit, ...]
    kinds: Mapping[str, Kind]
    restart: object = None


def view_of(data: Mapping[str, object]) -> View:
    """Return the units that a stack file's data declares; what is no table has no data."""
    units: list[DeclaredUnit] = []
    kinds: dict[str, Kind] = {}
    for section, kind in KINDS.items():
        declared = data.get(section)
        if not isinstance(declared, dict):
            continue
        for name, value in declared.items():
            kinds.setdefault(name, kind)
            pointer = json_pointer.join((section, name))
            units.append(DeclaredUnit(kind, name, pointer, value if isinstance(value, dict) else {}))
    defaults = data.get("defaults")
    return View(tuple(units), kinds, defaults.get("restart") if isinstance(defaults, dict) else None)
