"""A stack as its machine must bear it: what the checks look at, without a build and without writing a config."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.channel.location import locate_own
from orchestrator.deployment.model import Channel, Deployment, File, Kind, UnitSpec
from orchestrator.resolve import policies
from orchestrator.stack.model import SIM, Bot, Connector, Service

if TYPE_CHECKING:
    from orchestrator.stack.model import Stack


def sketch(stack: Stack) -> Deployment:
    """Return the deployment that a stack would become, of each unit only what needs no build.

    Raises ChannelConfigError for an iceoryx2 config that a connector would find and cannot use.
    """
    specs = {name: _spec(stack, kind, name, unit) for kind, name, unit in stack.units()}
    units = tuple(specs[name] for name in stack.order())
    return Deployment(stack=stack.name, file=str(stack.file), network=stack.network, units=units)


def _spec(stack: Stack, kind: Kind, name: str, unit: Connector | Service | Bot) -> UnitSpec:
    channel = None
    if isinstance(unit, Connector):
        location = locate_own(unit.cwd, modern=unit.type == SIM)
        channel = Channel(name, location.root, location.prefix)
    config = stack.config(name)
    attached = isinstance(unit, Bot) and unit.attached
    return UnitSpec(
        name=name,
        kind=kind,
        type=None if isinstance(unit, Service) else unit.type,
        argv=(),
        executable=None,
        cwd=str(unit.cwd),
        env=(),
        files=() if config is None else (File(str(config.path or ""), ""),),
        target=policies.target(kind, streams=False),
        depends_on=policies.dependencies(unit),
        channel=channel,
        attaches=tuple(need for need in unit.depends_on if need in stack.connectors) if attached else (),
        resources=policies.resources(unit, confidential=False),
        external=isinstance(unit, Connector) and unit.external,
    )
