"""The judgement of a stack as a trading configuration: all rules of this room over a draft."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from orchestrator.deployment.model import Kind
from orchestrator.stack.declared import view_of
from orchestrator.stack.model import SIM
from orchestrator.venue import between, disguise, hosts, keys, networks, tables, url
from orchestrator.venue.ignoring import Ignores
from orchestrator.venue.models import MODELS
from orchestrator.venue.networks import NETWORKS, Boundary, Mention, Sight
from orchestrator.venue.remark import Remark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.errors import Diagnostic
    from orchestrator.stack.declared import DeclaredUnit, View
    from orchestrator.stack.document import Finding
    from orchestrator.stack.draft import Configured, Draft

_ALIKE: Final = 0.85
"""How alike two types are, by difflib, of which one is a slip of the pen: a letter or two of binancefutures."""


def check(draft: Draft) -> Iterator[Finding | Diagnostic]:
    """Yield what is wrong with a stack as a trading configuration, once each; what is ignored says why."""
    view = view_of(draft.data)
    ignores = Ignores(view)
    told: set[Finding | Diagnostic] = set()
    for remark in _remarks(draft, view):
        found = remark.located(ignores.reason(remark))
        if found not in told:
            told.add(found)
            yield found
    yield from (remark.located() for remark in ignores.remarks())


def _remarks(draft: Draft, view: View) -> Iterator[Remark]:
    allowed, malformed = _allowed(draft.data.get("allow_hosts"))
    yield from malformed
    network = draft.data.get("network")
    boundary = Boundary(network, allowed) if isinstance(network, str) and network in NETWORKS else None
    met: set[str] = set()
    kinds: dict[str, str] = {}
    for unit in view.units:
        kind = unit.data.get("type")
        if unit.kind is Kind.CONNECTOR and isinstance(kind, str) and kind != SIM:
            kinds[unit.name] = kind
            configured = draft.configs.get(unit.name)
            yield from _type(unit, kind)
            if configured is not None:
                yield from connector(unit.name, kind, configured, boundary, met)
    yield from disguise.connectors(view)
    yield from between.prefixes(kinds, draft.configs)
    yield from between.ages(view, draft.data)
    yield from between.cores(view)
    yield from between.channels(view, draft.data)
    for host, index in allowed.items():
        if host not in met or host in hosts.HOSTS:
            yield _unused(host, index)


def _type(unit: DeclaredUnit, kind: str) -> Iterator[Remark]:
    if kind in MODELS:
        return
    if near := get_close_matches(kind, MODELS, 1, cutoff=_ALIKE):
        message = f"this is no type that hftstack knows, and all but {near[0]}: cargo would hardly have such a feature"
        hint = f"write {near[0]}; when your fork has this one, ignore: {{misspelt-type: REASON}}"
        yield Remark("misspelt-type", (unit.name,), ("connectors", unit.name, "type"), message, hint)
        return
    near = get_close_matches(kind, [*MODELS, SIM], 1)
    hint = f"did you mean {near[0]}?" if near else "check its keys by hand; hosts are checked"
    message = f"of this type nothing is known: the known ones are {', '.join(MODELS)} and {SIM}"
    yield Remark("unknown-type", (unit.name,), ("connectors", unit.name, "type"), message, hint)


def connector(
    name: str, kind: str, configured: Configured, boundary: Boundary | None, met: set[str]
) -> Iterator[Remark]:
    """Yield what is wrong with a connector by itself; the hosts of its URLs are put into `met`."""
    faults: list[Remark] = []
    if kind in MODELS:
        faults = list(tables.check(name, kind, configured, boundary.network if boundary else None))
        yield from faults
        complete = not any(remark.rule == "unknown-key" for remark in faults)
        yield from keys.check(name, kind, configured, complete=complete)
    seen: list[Sight] = []
    for sight in networks.sights(name, kind, configured):
        if isinstance(sight, Remark):
            yield sight
            continue
        if isinstance(sight, Mention):
            if boundary is not None:
                yield from networks.check_mention(sight, boundary)
            continue
        met.add(sight.url.host)
        seen.append(sight)
        if boundary is not None:
            yield from networks.check(sight, boundary)
    if boundary is not None and keys.is_keyed(configured.table):
        yield from keys.check_wire(seen, network=boundary.network)


def _allowed(value: object) -> tuple[dict[str, int], list[Remark]]:
    """Return the hosts that the file allows, and what is wrong with its list."""
    found: dict[str, int] = {}
    wrong: list[Remark] = []
    for index, item in enumerate(value if isinstance(value, list) else ()):
        if not isinstance(item, str):
            continue
        try:
            host = url.bare_host(item)
        except url.UrlError as error:
            message = f"this item {error.message}"
            wrong.append(Remark("allow-hosts", (), ("allow_hosts", index), message, f"name a host: {error.hint}"))
        else:
            found.setdefault(host, index)
    return found, wrong


def _unused(host: str, index: int) -> Remark:
    message, hint = "no connector has a URL with this host", "remove it"
    if host in hosts.HOSTS:
        message = f"{host} is an exchange's, for which network: speaks alone"
    return Remark("allow-hosts-unused", (), ("allow_hosts", index), message, hint)
