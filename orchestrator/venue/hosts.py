"""The exchanges' hosts: which venue, which endpoint, which network. Exact names, nothing is guessed from a part of one.

Sources: the examples of hftbacktest 5f3ec40 (connector/examples/*.toml), the exchanges' documentation and the constants
of NautilusTrader's adapters; facts of November 2026.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Endpoint = Literal["stream", "rest", "ws-api"]


class Host(NamedTuple):
    """An exchange's host. `ports` are those that may be written, beside none at all."""

    venue: str
    endpoint: Endpoint
    network: str
    ports: tuple[int, ...] = (443,)


_USDM: Final = "Binance USD-M futures"
_SPOT: Final = "Binance spot"
_BYBIT: Final = "Bybit"

VENUES: Final = {"binancefutures": _USDM, "binancespot": _SPOT, "bybit": _BYBIT}
"""The connector types and their exchange's name."""

HOSTS: Final[dict[str, Host]] = {
    "fstream.binance.com": Host(_USDM, "stream", "mainnet"),
    "fstream-auth.binance.com": Host(_USDM, "stream", "mainnet"),
    "fstream-mm.binance.com": Host(_USDM, "stream", "mainnet"),
    "fstream.binancefuture.com": Host(_USDM, "stream", "testnet"),
    "demo-fstream.binance.com": Host(_USDM, "stream", "demo"),
    "ws-fapi.binance.com": Host(_USDM, "ws-api", "mainnet"),
    "fapi.binance.com": Host(_USDM, "rest", "mainnet"),
    "fapi-mm.binance.com": Host(_USDM, "rest", "mainnet"),
    "testnet.binancefuture.com": Host(_USDM, "rest", "testnet"),
    "demo-fapi.binance.com": Host(_USDM, "rest", "demo"),
    "stream.binance.com": Host(_SPOT, "stream", "mainnet", (443, 9443)),
    "stream-sbe.binance.com": Host(_SPOT, "stream", "mainnet", (443, 9443)),
    "stream.testnet.binance.vision": Host(_SPOT, "stream", "testnet", (443, 9443)),
    "demo-stream.binance.com": Host(_SPOT, "stream", "demo", (443, 9443)),
    "api.binance.com": Host(_SPOT, "rest", "mainnet"),
    "testnet.binance.vision": Host(_SPOT, "rest", "testnet"),
    "demo-api.binance.com": Host(_SPOT, "rest", "demo"),
    "ws-api.binance.com": Host(_SPOT, "ws-api", "mainnet", (443, 9443)),
    "ws-api.testnet.binance.vision": Host(_SPOT, "ws-api", "testnet", (443, 9443)),
    "demo-ws-api.binance.com": Host(_SPOT, "ws-api", "demo", (443, 9443)),
    "stream.bybit.com": Host(_BYBIT, "stream", "mainnet"),
    "stream-testnet.bybit.com": Host(_BYBIT, "stream", "testnet"),
    "stream-demo.bybit.com": Host(_BYBIT, "stream", "demo"),
    "api.bybit.com": Host(_BYBIT, "rest", "mainnet"),
    "api-testnet.bybit.com": Host(_BYBIT, "rest", "testnet"),
    "api-demo.bybit.com": Host(_BYBIT, "rest", "demo"),
}

_DOMAINS: Final = frozenset(
    {"binance.com", "binancefuture.com", "binance.vision", "binance.us", "binance.je", "bybit.com", "bytick.com",
     "bybit.nl", "bybit.kz", "bybit.eu", "bybit-tr.com", "bybitgeorgia.ge", "bybit.ge", "bybit.ae"}
)  # fmt: skip
"""Domains of the exchanges: a host in them that the table lacks may be mainnet, whoever allows it."""


def exchange_domain(name: str) -> str | None:
    """Return the exchange's domain that a host is in, also one that the table lacks."""
    labels = name.split(".")
    return next((domain for at in range(len(labels)) if (domain := ".".join(labels[at:])) in _DOMAINS), None)


def fitting(venue: str, endpoint: Endpoint, network: str) -> Iterator[str]:
    """Yield the hosts of a venue's endpoint on a network, the usual one first."""
    wanted = (venue, endpoint, network)
    return (name for name, host in HOSTS.items() if (host.venue, host.endpoint, host.network) == wanted)


def resembles(name: str, known: Iterable[str] = HOSTS) -> str | None:
    """Return the exchange's host that `name` could be taken for."""
    from difflib import get_close_matches  # noqa: PLC0415 - for an unknown host only

    inside = next((host for host in known if host in name), None)
    return inside or next(iter(get_close_matches(name, known, 1, cutoff=0.75)), None)
