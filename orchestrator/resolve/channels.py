"""Where each unit's iceoryx2 keeps its files, and who would not meet there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.channel.location import Location


def split(bot: str, own: Location, connectors: Mapping[str, Location]) -> tuple[str, ...]:
    """Return a warning for each connector that the bot would never meet: both would run, and no message arrive."""
    return tuple(
        f"{bot} and {name} use different iceoryx2 configurations ({_name(own)}, {_name(other)}): they cannot see each "
        "other, and neither will say so; give both the same cwd"
        for name, other in connectors.items()
        if (own.root, own.prefix) != (other.root, other.prefix)
    )


def _name(place: Location) -> str:
    return place.source or "the defaults"
