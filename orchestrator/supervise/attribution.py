"""Who asked for something, as it came over the socket and as the journal keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.supervise.graph import edges_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.deployment.model import UnitSpec

_TYPES: Final = {"user": str, "commit": str, "dirty": bool}
_SHORT: Final = 12


def asked_by(params: dict[str, Any]) -> dict[str, Any]:
    """Return `user`, `commit` and `dirty` of a request; null what it does not say, or not as it should."""
    said = params.get("by")
    found = said if isinstance(said, dict) else {}
    return {key: found[key] if isinstance(found.get(key), kind) else None for key, kind in _TYPES.items()}


def told(by: dict[str, Any]) -> str:
    """Return it for people."""
    parts = [f"by {by['user']}"] if by["user"] else []
    if by["commit"]:
        parts.append(f"commit {by['commit'][:_SHORT]}{' with changes' if by['dirty'] else ''}")
    return ", ".join(parts)


def edges(specs: Iterable[UnitSpec]) -> dict[str, list[str]]:
    """Return what each unit waits for, by name."""
    return {spec.name: [edge.unit for edge in edges_of(spec)] for spec in specs}
