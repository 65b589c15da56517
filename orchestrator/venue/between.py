"""What must hold between the units of a stack, whatever each is by itself."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestrator.deployment.model import Kind
from orchestrator.stack import durations
from orchestrator.stack.model import SIM
from orchestrator.venue import keys
from orchestrator.venue.remark import Remark

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.stack.declared import DeclaredUnit, View
    from orchestrator.stack.draft import Configured

MOST_BOTS: Final = 19
"""iceoryx2 takes 20 nodes a service, one of which is the connector's, whatever max_bots says (measured on 0.6.1)."""

_CLOSES_DAILY: Final = ("binancefutures", "binancespot")
_DAY: Final = 24 * 3600 * 1_000_000_000
"""Nanoseconds after which Binance closes every socket (developers.binance.com, websocket market streams)."""

_DEFAULT_MAX_BOTS: Final = 200
_SETTINGS: Final = "HFTBACKTEST_CHANNEL_CONFIG="
_SECTIONS: Final = {Kind.CONNECTOR: "connectors", Kind.SERVICE: "services", Kind.BOT: "bots"}


def _parts(unit: DeclaredUnit, *below: str | int) -> tuple[str | int, ...]:
    return (_SECTIONS[unit.kind], unit.name, *below)


class _Prefixed(NamedTuple):
    prefix: str
    position: int
    name: str


def prefixes(kinds: Mapping[str, str], configs: Mapping[str, Configured]) -> Iterator[Remark]:
    """Yield the connectors on one account whose order prefix begins with that of another, and those without one.

    One account is one API key of one exchange: orders on Binance's futures and spot never meet.
    """
    accounts: dict[tuple[str, str], list[_Prefixed]] = defaultdict(list)
    for position, (name, configured) in enumerate(configs.items()):
        if name in kinds and keys.is_keyed(configured.table):
            account = (kinds[name], keys.text(configured.table, "api_key"))
            accounts[account].append(_Prefixed(keys.text(configured.table, "order_prefix"), position, name))
    for members in accounts.values():
        if len(members) == 1 and not members[0].prefix:
            yield _claims_all(members[0].name, configs[members[0].name])
        yield from _overlaps(sorted(members), configs)


def _claims_all(name: str, configured: Configured) -> Remark:
    return Remark(
        "empty-prefix",
        (name,),
        ("order_prefix",) if "order_prefix" in configured.table else (),
        "without an order prefix this connector takes every order of the account for its own, also those by hand",
        "give it one of its own, such as mm1-",
        config=configured,
    )


def ages(view: View, data: Mapping[str, object]) -> Iterator[Remark]:
    """Yield the connectors that are restarted because of their age only after Binance has closed their stream."""
    for unit in view.units:
        if unit.kind is not Kind.CONNECTOR or unit.data.get("type") not in _CLOSES_DAILY:
            continue
        for place, table in ((_parts(unit), unit.data), (("defaults",), data.get("defaults"))):
            restart = table.get("restart") if isinstance(table, dict) else None
            age = restart.get("max_age") if isinstance(restart, dict) else None
            if age is None:
                continue
            if isinstance(age, str) and _nanoseconds(age) >= _DAY:
                yield Remark(
                    "late-max-age",
                    (unit.name,),
                    (*place, "restart", "max_age"),
                    f"Binance closes every socket after 24 hours, before {age}: the bots are deaf in between",
                    "write 23h or less",
                )
            break


def _nanoseconds(text: str) -> int:
    try:
        return durations.parse(text)
    except ValueError:
        return 0


def _overlaps(members: list[_Prefixed], configs: Mapping[str, Configured]) -> Iterator[Remark]:
    # In sorted order everything between a prefix and what begins with it begins with it too.
    open_ones: list[_Prefixed] = []
    for member in members:
        while open_ones and not member.prefix.startswith(open_ones[-1].prefix):
            open_ones.pop()
        if open_ones:
            other = open_ones[-1]
            how = "is that" if other.prefix == member.prefix else "begins with that"
            what = "is empty, like that" if not member.prefix else how
            if member.prefix and not other.prefix:
                what = "begins with the empty one"
            configured = configs[member.name]
            yield Remark(
                "shared-prefix",
                (member.name, other.name),
                ("order_prefix",) if "order_prefix" in configured.table else (),
                f"the order prefix {what} of {other.name}, on the same account: each would claim orders of the other",
                "give each connector of an account a prefix that is not the beginning of another",
                config=configured,
            )
        open_ones.append(member)


def cores(view: View) -> Iterator[Remark]:
    """Yield the units that are pinned to a core of another unit, and connectors with one core for all their threads."""
    owners: dict[int, str] = {}
    for unit in view.units:
        resources = unit.data.get("resources")
        pinned = resources.get("cpus") if isinstance(resources, dict) else None
        if not isinstance(pinned, list):
            continue
        parts = _parts(unit, "resources", "cpus")
        numbers = [core for core in pinned if type(core) is int]
        for index, core in enumerate(pinned):
            if type(core) is not int:
                continue
            other = owners.setdefault(core, unit.name)
            if other != unit.name:
                message = f"core {core} is that of {other} too: each waits while the other runs"
                hint = "give each a core of its own"
                yield Remark("shared-core", (unit.name, other), (*parts, index), message, hint)
        if unit.kind is Kind.CONNECTOR and len(numbers) == 1 and unit.data.get("type") != SIM:
            yield Remark(
                "single-core",
                (unit.name,),
                parts,
                "the connector polls on this core without pause, and its other threads have no other",
                "give it two cores or more, and env: {TOKIO_WORKER_THREADS: ..}",
            )


def channels(view: View, data: Mapping[str, object]) -> Iterator[Remark]:
    """Yield the channels with more bots than they hold, and units with channel settings of their own."""
    settings = data.get("channel")
    most = settings.get("max_bots") if isinstance(settings, dict) else None
    limit = min(MOST_BOTS, most if type(most) is int else _DEFAULT_MAX_BOTS)
    connectors = {unit.name: unit for unit in view.units if unit.kind is Kind.CONNECTOR}
    bots: dict[str, int] = defaultdict(int)
    for unit in view.units:
        needed = [need.name for need in unit.needs() if need.name in connectors] if unit.kind is Kind.BOT else []
        if unit.data.get("attached") is not False:
            for name in set(needed):
                bots[name] += 1
        if unit.data.get("type") == SIM:
            yield from _sim_bot(unit, needed, connectors)
        yield from _own_settings(unit)
    for name, count in bots.items():
        if count > limit:
            cure = "raise channel: {max_bots: ..}" if limit < MOST_BOTS else "use a second connector for the others"
            message = f"{count} bots attach to this channel, which holds {limit}: the next one fails to start"
            yield Remark("too-many-bots", (name,), _parts(connectors[name]), message, cure, on_key=True)


def _sim_bot(unit: DeclaredUnit, needed: list[str], connectors: Mapping[str, DeclaredUnit]) -> Iterator[Remark]:
    for name in needed:
        kind = connectors[name].data.get("type")
        if isinstance(kind, str) and kind != SIM:
            yield Remark(
                "sim-bot",
                (unit.name, name),
                _parts(unit, "depends_on"),
                f"{name} is a real connector, whose iceoryx2 a simulated bot does not speak",
                "give a bot of your own: command: [program, argument, ..]",
                on_key=True,
            )


def _own_settings(unit: DeclaredUnit) -> Iterator[Remark]:
    for key in ("command", "args"):
        words = unit.data.get(key)
        for index, word in enumerate(words if isinstance(words, list) else ()):
            if isinstance(word, str) and word.startswith(_SETTINGS):
                yield Remark(
                    "channel-settings",
                    (unit.name,),
                    _parts(unit, key, index),
                    "this gives one unit channel settings of its own: the sides of a channel must have the same",
                    "use the stack's channel: {buffer_size: .., max_bots: ..}",
                )
