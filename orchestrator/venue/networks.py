"""Every URL of a connector, and every host of an exchange that it names, against the network of its stack."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote

from orchestrator.venue import url
from orchestrator.venue.hosts import HOSTS, VENUES, exchange_domain, fitting, resembles
from orchestrator.venue.remark import Remark

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from orchestrator.stack.draft import Configured
    from orchestrator.venue.hosts import Endpoint, Host

NETWORKS: Final = ("mainnet", "testnet", "demo", "local")

ENDPOINTS: Final[dict[str, dict[str, Endpoint]]] = {
    "binancefutures": {"stream_url": "stream", "api_url": "rest"},
    "binancespot": {"stream_url": "stream", "api_url": "rest", "ws_api_url": "ws-api"},
    "bybit": {"public_url": "stream", "private_url": "stream", "trade_url": "stream", "rest_url": "rest"},
}
"""Connector type -> its keys with URLs, and which endpoint of the exchange each is for."""

_DEMO_ON_MAINNET: Final = frozenset({"public_url", "trade_url"})
"""Bybit's demo has a private stream and REST of its own, and no other."""

_BYBIT_PATHS: Final = {"private_url": "/v5/private", "trade_url": "/v5/trade"}

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]+")
"""What could be a host in a text: whatever surrounds it, it ends where no host has such a character."""


class Boundary(NamedTuple):
    """Where connectors may go: a network, and hosts that are no exchange's."""

    network: str
    allowed: Mapping[str, int]
    """Host -> its index in the list of those that are allowed."""
    source: str = "the stack"
    """What says which network it is."""
    implied: bool = False
    """Whether nobody says it but another URL: then a host of which nothing is known disagrees with nothing."""


class Sight(NamedTuple):
    """A URL as it stands in a connector's config; `key` is None in a connector of an unknown type."""

    unit: str
    kind: str
    parts: tuple[str | int, ...]
    key: str | None
    configured: Configured
    url: url.Url

    def remark(self, rule: str, message: str, hint: str | None) -> Remark:
        """Return a finding at this URL."""
        return Remark(rule, (self.unit,), self.parts, message, hint, config=self.configured)


class Mention(NamedTuple):
    """A host of an exchange in a text that is no URL, or in the path or the query of one, which a proxy may go to."""

    unit: str
    parts: tuple[str | int, ...]
    configured: Configured
    host: str


def sights(unit: str, kind: str, configured: Configured) -> Iterator[Sight | Mention | Remark]:
    """Yield the well-formed URLs of a connector and the exchanges' hosts beside them.

    Of a connector of an unknown type, whose keys may mean anything, every text and key counts, and malformed URLs are
    told.
    """
    known = ENDPOINTS.get(kind)
    for parts, text in _texts(configured.table, ()):
        key = parts[0] if len(parts) == 1 and isinstance(parts[0], str) else None
        if known is not None and key not in known:
            continue
        beside = text
        if known is not None or _is_meant_for_url(parts, text):
            try:
                parsed = url.parse(text)
            except url.UrlError as error:
                if known is None:
                    message = f"this text {error.message}, and stands for a URL"
                    yield Remark("url", (unit,), parts, message, error.hint, config=configured)
                continue
            yield Sight(unit, kind, parts, None if known is None else key, configured, parsed)
            beside = parsed.path + parsed.query
        for name in _exchange_hosts(beside):
            yield Mention(unit, parts, configured, name)
    if known is None:
        yield from (Mention(unit, parts, configured, name) for parts, name in _named_keys(configured.table, ()))


def _texts(value: object, parts: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the texts in a table, and where each stands."""
    if isinstance(value, str):
        yield parts, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*parts, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*parts, index))


def _named_keys(value: object, parts: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the exchanges' hosts that the keys in a table name, and where each stands."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if isinstance(key, str):
            yield from (((*parts, key), name) for name in _exchange_hosts(key))
        yield from _named_keys(item, (*parts, key))


def _is_meant_for_url(parts: tuple[str | int, ...], text: str) -> bool:
    key = next((part for part in reversed(parts) if isinstance(part, str)), "")
    return "://" in text or (bool(text) and key.lower().endswith(("url", "uri")))


def _exchange_hosts(text: str) -> Iterator[str]:
    """Yield the exchanges' hosts that a text names in full, in whatever letters, once each."""
    if "." in text or "%" in text:
        names = (match[0].strip(".").lower() for match in _NAME.finditer(unquote(text)))
        yield from dict.fromkeys(name for name in names if exchange_domain(name) is not None)


def implied(seen: Iterable[Sight], allowed: Mapping[str, int]) -> Boundary:
    """Return the network that a connector's URLs speak of, the exchange's before this machine's.

    Bybit's demo shares streams with mainnet, so that it is the demo as soon as one URL is.
    """
    said: dict[str, str] = {}
    for sight in seen:
        network = _network_of(sight.url.host)
        if network is not None:
            said.setdefault(network, str(sight.key))
    exchange = [network for network in said if network != "local"]
    network = "demo" if "demo" in exchange else next(iter(exchange), "local")
    return Boundary(network, allowed, said.get(network, ""), implied=True)


def _network_of(host: str) -> str | None:
    """Return the network that a host belongs to, None where nothing is known of it."""
    known = HOSTS.get(host)
    if known is not None:
        return known.network
    if exchange_domain(host) is not None:
        return "mainnet"
    return "local" if url.is_loopback(host) else None


def check(sight: Sight, boundary: Boundary) -> Iterator[Remark]:
    """Yield what is wrong with where a URL leads."""
    known = HOSTS.get(sight.url.host)
    if known is None:
        yield from _unlisted(sight, boundary)
        return
    wrong = _wrong_endpoint(sight, known)
    if wrong is not None:
        yield wrong
    elif known.network != boundary.network and not _is_demo_mix(sight, known, boundary):
        message = f"{sight.url.origin} is {known.network}, {boundary.source} says {boundary.network}"
        yield sight.remark("network-mismatch", message, _other_network(sight, known, boundary))
    if sight.url.scheme not in url.ENCRYPTED:
        secure = "https" if sight.url.scheme == "http" else "wss"
        yield sight.remark("url-scheme", f"{sight.url.origin} is not encrypted", f"write {secure}://")


def check_mention(mention: Mention, boundary: Boundary) -> Iterator[Remark]:
    """Yield what is wrong with the network of a host that is named outside of a URL; an unlisted one is mainnet's."""
    name = mention.host
    known = HOSTS.get(name)
    theirs = "mainnet" if known is None else known.network
    if theirs != boundary.network:
        what = f"a host of {exchange_domain(name)} that may be mainnet" if known is None else theirs
        message = f"this names {name}, which is {what}, and {boundary.source} says {boundary.network}"
        hint = f"name a host of {boundary.network}{_or_set(theirs, boundary)}"
        yield Remark("network-mismatch", (mention.unit,), mention.parts, message, hint, config=mention.configured)


def _or_set(network: str, boundary: Boundary) -> str:
    return "" if boundary.implied else f", or set network: {network}"


def _unlisted(sight: Sight, boundary: Boundary) -> Iterator[Remark]:
    host, origin, network = sight.url.host, sight.url.origin, boundary.network
    domain = exchange_domain(host)
    if domain is not None and network != "mainnet":
        message = f"{origin} is a host of {domain} that may be mainnet, {boundary.source} says {network}"
        yield sight.remark("network-mismatch", message, _of_this_network(sight, network))
    elif host in boundary.allowed or (network == "local" and url.is_loopback(host)):
        return
    elif url.is_loopback(host):
        message = f"{origin} is this machine, {boundary.source} says {network}"
        local = "" if boundary.implied else "set network: local, or "
        yield sight.remark("network-mismatch", message, f"{local}add allow_hosts: [{host}] for a proxy to {network}")
    else:
        near = None if boundary.implied and domain is not None else resembles(host)
        if boundary.implied and near is None:
            return
        message = f"{origin} is no exchange's host" + (f", though it resembles {near}" if near else "")
        hint = f"a proxy or a fake needs allow_hosts: [{host}] beside the network"
        if near is not None:
            hint = f"write {near}, if you mean it" if boundary.implied else _of_this_network(sight, network)
        yield sight.remark("unknown-host", message, hint)


def _wrong_endpoint(sight: Sight, known: Host) -> Remark | None:
    if sight.url.port is not None and sight.url.port not in known.ports:
        ports = " or ".join(map(str, known.ports))
        return sight.remark("wrong-endpoint", f"{sight.url.origin} has a port of its own", f"write :{ports}, or none")
    if sight.key is None:
        return None
    venue, endpoint = VENUES[sight.kind], ENDPOINTS[sight.kind][sight.key]
    if (known.venue, known.endpoint) != (venue, endpoint):
        message = f"{sight.url.host} is the {known.endpoint} endpoint of {known.venue}, not the {endpoint} of {venue}"
        right = next(fitting(venue, endpoint, known.network), None)
        return sight.remark("wrong-endpoint", message, f"use {right}" if right else None)
    if sight.kind == "bybit":
        return _wrong_bybit(sight, known)
    return None


def _wrong_bybit(sight: Sight, known: Host) -> Remark | None:
    assert sight.key is not None  # noqa: S101 - of a known type
    if known.network == "demo" and sight.key in _DEMO_ON_MAINNET:
        message = f"{sight.url.host} has the private stream only"
        return sight.remark("wrong-endpoint", message, "write stream.bybit.com here: Bybit's demo shares it")
    path = _BYBIT_PATHS.get(sight.key)
    if path is not None and sight.url.path.rstrip("/") != path:
        return sight.remark("wrong-endpoint", f"{sight.key} does not lead to {path}", f"end it with {path}")
    if sight.key == "public_url" and not sight.url.path.startswith("/v5/public/"):
        return sight.remark(
            "wrong-endpoint", "public_url does not lead to /v5/public/CATEGORY", "end it with /v5/public/linear"
        )
    return None


def _is_demo_mix(sight: Sight, known: Host, boundary: Boundary) -> bool:
    """Tell whether this is the mainnet stream that Bybit's demo shares; its private stream and REST are apart."""
    return (
        sight.kind == "bybit"
        and boundary.network == "demo"
        and known.network == "mainnet"
        and sight.key in _DEMO_ON_MAINNET
    )


def _other_network(sight: Sight, known: Host, boundary: Boundary) -> str:
    return _of_this_network(sight, boundary.network) + _or_set(known.network, boundary)


def _of_this_network(sight: Sight, network: str) -> str:
    if network == "local":
        return "use an address of this machine"
    if sight.key is None:
        return f"use a URL of {network}"
    endpoint = ENDPOINTS[sight.kind][sight.key]
    host = next(fitting(VENUES[sight.kind], endpoint, network), None)
    scheme = "https" if endpoint == "rest" else "wss"
    return f"use a URL of {network}" if host is None else f"use {scheme}://{host}"
