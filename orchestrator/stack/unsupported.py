"""Keys of the format that have a meaning, but not in this version: refused by name, one row each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.stack import pointer as json_pointer
from orchestrator.stack.document import SECTIONS, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

_ANY_UNIT: Final = "*"

KEYS: Final[dict[tuple[str, ...], str]] = {
    (_ANY_UNIT, "health", "on_stale"): "remove it; status shows a stale channel",
    (_ANY_UNIT, "health", "min_rate"): "remove it",
}
"""Path of the key -> what to do instead; `*` is any unit, or `defaults`."""


def _holders(data: dict[str, object]) -> Iterator[tuple[str, ...]]:
    if isinstance(data.get("defaults"), dict):
        yield ("defaults",)
    for section in SECTIONS:
        units = data.get(section)
        if isinstance(units, dict):
            yield from ((section, name) for name in units)


def _table(data: dict[str, object], parts: tuple[str, ...]) -> dict[str, object] | None:
    value: object = data
    for part in parts:
        value = value.get(part) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else None


def _finding(pointer: str, what: str, hint: str, *, on_key: bool) -> Finding:
    # A source without its git needs a path, which is not what its author wants to hear.
    covers = "/source" if pointer.startswith("/source/") else None
    return Finding(pointer, f'"{what}" is not supported yet', hint, "not-supported-yet", on_key, covers)


def refuse(data: dict[str, object]) -> Iterator[Finding]:
    """Yield a finding for each thing in a stack file's data that is not supported yet."""
    holders = list(_holders(data))
    for path, hint in KEYS.items():
        *above, key = path
        places = [(*base, *above[1:]) for base in holders] if path[0] == _ANY_UNIT else [tuple(above)]
        for place in places:
            table = _table(data, place)
            if table is not None and key in table:
                yield _finding(json_pointer.join((*place, key)), key, hint, on_key=True)
