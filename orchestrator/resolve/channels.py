"""Bots and connectors that would not meet: their working directories lead iceoryx2 to different places."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.channel.location import Location, locate_own
from orchestrator.deployment.model import Kind
from orchestrator.errors import RefusedError

if TYPE_CHECKING:
    from orchestrator.deployment.model import Deployment, UnitSpec


def check_meeting(deployment: Deployment) -> tuple[str, ...]:
    """Return a warning for each bot that would not meet a connector of its own and need not be seen there.

    Both would run, no message would arrive, and neither would say so. What can be known is the configuration file that
    iceoryx2 finds from the working directory in which a unit is started; not a program that changes its directory, or
    that configures iceoryx2 by itself. A bot is taken to have its connector's version: with another one they cannot
    meet anywhere.

    Raises:
        RefusedError: a bot that must be seen on the connector's channel would not meet it.
        ChannelConfigError: the iceoryx2 configuration that a bot would find is unusable.
    """
    connectors = {spec.name: spec for spec in deployment.units if spec.kind is Kind.CONNECTOR}
    warnings = []
    for bot in deployment.units:
        if bot.kind is not Kind.BOT:
            continue
        for edge in bot.depends_on:
            connector = connectors.get(edge.unit)
            split = None if connector is None else _split(bot, connector)
            if split is None:
                continue
            if edge.unit in bot.attaches:
                raise RefusedError(
                    split,
                    where=bot.name,
                    hint=f"give {bot.name} the `cwd` of {edge.unit}, or the same config/iceoryx2.toml in its own; "
                    "if it finds its way by itself: `attached: false`",
                )
            warnings.append(f"{bot.name}: {split}")
    return tuple(warnings)


def _split(bot: UnitSpec, connector: UnitSpec) -> str | None:
    own, other = (_place(unit, modern=connector.type == "sim") for unit in (bot, connector))
    if (own.root, own.prefix) == (other.root, other.prefix):
        return None
    return (
        f"it would never meet {connector.name}, and neither would say so: iceoryx2 takes {bot.name} to {_name(own)}, "
        f"{connector.name} to {_name(other)}"
    )


def _place(unit: UnitSpec, *, modern: bool) -> Location:
    return locate_own(Path(unit.cwd), modern=modern)


def _name(place: Location) -> str:
    return f"root {place.root}, prefix {place.prefix} ({place.source or 'its defaults: no config/iceoryx2.toml found'})"
