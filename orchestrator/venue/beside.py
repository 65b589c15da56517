"""Rules between a deployment and those that run on this machine already, which no stack file can see."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestrator.venue import keys

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from orchestrator.deployment.model import Channel, Deployment, UnitSpec

_SETTINGS: Final = "HFTBACKTEST_CHANNEL_CONFIG"


@dataclass(frozen=True, slots=True)
class Clash:
    """What two stacks may not, or should not, have in common. `refuses`: a start would fail or harm what runs."""

    unit: str
    message: str
    hint: str
    refuses: bool


class _Owner(NamedTuple):
    stack: str
    unit: str


class _Prefixed(NamedTuple):
    prefix: str
    owner: _Owner


def clashes(
    deployment: Deployment,
    running: Iterable[Deployment],
    *,
    table: Callable[[UnitSpec], Mapping[str, object] | None] = lambda _: None,
    sharing: Collection[str] = (),
) -> Iterator[Clash]:
    """Yield what `deployment` has in common with the deployments of other stacks that run.

    A channel of one name, root and prefix that both would own; an external connector with other channel settings than
    the stack that owns it; an account on which one's order prefix begins with that of the other; a core to which both
    pin a unit.

    Args:
        deployment: what is to run.
        running: what runs, the stack itself included or not.
        table: reads the config of a connector, with its secrets; None where it cannot.
        sharing: the units that give a reason to share an account with an overlapping prefix.
    """
    others = [other for other in running if other.stack != deployment.stack]
    yield from _channels(deployment, others)
    yield from _settings(deployment, others)
    yield from _prefixes(deployment, others, table, sharing)
    yield from _cores(deployment, others)


def _channels(deployment: Deployment, others: list[Deployment]) -> Iterator[Clash]:
    owners = {unit.channel: _Owner(other.stack, unit.name) for other in others for unit in _owning(other)}
    for unit in _owning(deployment):
        owner = owners.get(unit.channel)
        if owner is not None:
            yield Clash(
                unit.name,
                f"the channel {unit.name} is that of stack {owner.stack}, which runs",
                "give this connector another name, or watch that one with external: true",
                refuses=True,
            )


def _owning(deployment: Deployment) -> Iterator[UnitSpec]:
    return (unit for unit in deployment.units if unit.channel is not None and not unit.external)


def _settings(deployment: Deployment, others: list[Deployment]) -> Iterator[Clash]:
    owned = {unit.channel: (other.stack, _digest(unit)) for other in others for unit in _owning(other)}
    watched: dict[str, Channel | None] = {unit.name: unit.channel for unit in deployment.units if unit.external}
    for bot in deployment.units:
        for name in bot.attaches:
            stack, digest = owned.get(watched.get(name), ("", None))
            if stack and digest != _digest(bot):
                yield Clash(
                    bot.name,
                    f"{name} belongs to stack {stack}, which has other channel settings",
                    "write the same channel: {..} in both stack files",
                    refuses=True,
                )


def _digest(unit: UnitSpec) -> str | None:
    path = dict(unit.env).get(_SETTINGS)
    return next((file.sha256 for file in unit.files if file.path == path), path)


def _prefixes(
    deployment: Deployment,
    others: list[Deployment],
    table: Callable[[UnitSpec], Mapping[str, object] | None],
    sharing: Collection[str],
) -> Iterator[Clash]:
    theirs: dict[tuple[str, str], list[_Prefixed]] = defaultdict(list)
    for other in others:
        for unit, account, prefix in _accounts(other, table):
            theirs[account].append(_Prefixed(prefix, _Owner(other.stack, unit)))
    for unit, account, prefix in _accounts(deployment, table) if theirs else ():
        met = [one for one in theirs[account] if one.prefix.startswith(prefix) or prefix.startswith(one.prefix)]
        if met and unit not in sharing:
            owner = met[0].owner
            yield Clash(
                unit,
                f"the order prefix overlaps that of {owner.unit} in stack {owner.stack}, which runs, "
                "on the same account: each would claim orders of the other",
                "give each connector of an account a prefix that is not the beginning of another, or say why not: "
                "ignore: {shared-prefix: REASON}",
                refuses=True,
            )


def _accounts(
    deployment: Deployment, table: Callable[[UnitSpec], Mapping[str, object] | None]
) -> Iterator[tuple[str, tuple[str, str], str]]:
    """Yield the connectors that act on an account: their name, the account by type and key, and their order prefix."""
    for unit in _owning(deployment):
        found = table(unit)
        if unit.type is not None and found is not None and keys.is_keyed(found):
            yield unit.name, (unit.type, keys.text(found, "api_key")), keys.text(found, "order_prefix")


def _cores(deployment: Deployment, others: list[Deployment]) -> Iterator[Clash]:
    owners = {
        core: _Owner(other.stack, unit.name)
        for other in others
        for unit in other.units
        for core in unit.resources.cpus or ()
    }
    for unit in deployment.units:
        for core in unit.resources.cpus or ():
            if core in owners:
                owner = owners[core]
                message = f"core {core} is that of {owner.unit} in stack {owner.stack} too"
                yield Clash(unit.name, message, "give each a core of its own", refuses=False)
