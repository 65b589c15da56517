"""What must agree within one connector's TOML: its keys with each other, its category with its stream."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from orchestrator.stack.templates import Template
from orchestrator.venue import pem, url
from orchestrator.venue.hosts import HOSTS
from orchestrator.venue.models import CATEGORIES
from orchestrator.venue.remark import Remark

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.stack.draft import Configured
    from orchestrator.venue.networks import Sight

_PUBLIC: Final = re.compile(r".*/public/([a-z]+)")
_SIGNS_WITH_PEM: Final = "binancespot"


def text(table: Mapping[str, object], key: str) -> str:
    """Return the text of a key; nothing for a key that is missing or holds something else."""
    value = table.get(key)
    return value if isinstance(value, str) else ""


def is_keyed(table: Mapping[str, object]) -> bool:
    """Tell whether a connector with this table acts on an account."""
    return bool(text(table, "api_key") and text(table, "secret"))


def check(name: str, kind: str, configured: Configured, *, complete: bool) -> Iterator[Remark]:
    """Yield what does not agree in the table of a connector of a known type.

    `complete` is false when it has keys that are mistaken for others, one of which may be the missing half.
    """
    table = configured.table
    key, secret = text(table, "api_key"), text(table, "secret")
    if complete and bool(key) != bool(secret):
        given, other = ("api_key", "secret") if key else ("secret", "api_key")
        what = "its private streams will not log in" if kind == "bybit" else "the connector runs without any account"
        yield Remark(
            "half-keyed",
            (name,),
            (given,),
            f"{given} is given and {other} is not: {what}",
            f"give {other} too, or leave both empty",
            config=configured,
        )
    yield from _secret(name, kind, configured, secret)
    if kind == _SIGNS_WITH_PEM and is_keyed(table) and table.get("ws_api_url", "") == "":
        yield Remark(
            "ws-api-url",
            (name,),
            ("ws_api_url",) if "ws_api_url" in table else (),
            "with keys the connector needs ws_api_url for its user data stream, and tries for ever without",
            "add ws_api_url, such as wss://ws-api.testnet.binance.vision/ws-api/v3",
            on_key=True,
            config=configured,
        )
    if kind == "bybit":
        yield from _category(name, configured)


def _secret(name: str, kind: str, configured: Configured, secret: str) -> Iterator[Remark]:
    if not secret or isinstance(secret, Template):
        return  # what `up` fills in is judged then
    if kind == _SIGNS_WITH_PEM:
        fault = pem.fault(secret)
        if fault is not None:
            hint = "give the Ed25519 private key of `openssl genpkey -algorithm ed25519`, with its line ends"
            message = f"the secret {fault}; the connector would panic"
            yield Remark("secret-kind", (name,), ("secret",), message, hint, config=configured)
    elif "-----BEGIN" in secret:
        message = f"a {kind} connector signs with HMAC, and this secret is a private key"
        hint = "give the secret of an HMAC key"
        yield Remark("secret-kind", (name,), ("secret",), message, hint, config=configured)


def _category(name: str, configured: Configured) -> Iterator[Remark]:
    category = text(configured.table, "category")
    try:
        path = url.parse(text(configured.table, "public_url")).path
    except url.UrlError:
        return
    match = _PUBLIC.fullmatch(path)
    if match is not None and category in CATEGORIES and match[1] != category:
        yield Remark(
            "category",
            (name,),
            ("category",),
            f"public_url is the stream of {match[1]}, and category is another: orders would go to other products",
            f"write {match[1]}, or correct public_url",
            config=configured,
        )


def check_wire(sights: list[Sight], *, network: str) -> Iterator[Remark]:
    """Yield what is risky about where a keyed connector's keys and orders travel."""
    for sight in sights:
        host = sight.url.host
        if host not in HOSTS and sight.url.scheme not in url.ENCRYPTED and not url.is_loopback(host):
            yield sight.remark(
                "plain-keys", f"keys travel to {sight.url.origin} without encryption", "use wss:// and https://"
            )
        if sight.key == "trade_url" and network == "demo" and HOSTS.get(host, ("", "", ""))[2] == "mainnet":
            yield sight.remark(
                "demo-trade",
                f"orders of this demo connector go to {host}, which is mainnet for a mainnet key",
                "make sure that the key is a demo key; say so with ignore: {demo-trade: REASON}",
            )
