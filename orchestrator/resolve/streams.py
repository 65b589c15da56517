"""Where a connector's exchange stream lives, read from its config."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from orchestrator.deployment.model import Endpoint
from orchestrator.resolve.error import ResolveError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_STREAM_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "binancefutures": ("stream_url",),
    "binancespot": ("stream_url",),
    "bybit": ("public_url",),
    "sim": (),
}
"""The market data stream, which bots need; hftbacktest 5f3ec40, connector/src/*/mod.rs."""

_DEFAULT_PORTS: Final = {"ws": 80, "wss": 443, "http": 80, "https": 443}


def endpoints(connector_type: str, config: Mapping[str, object]) -> tuple[Endpoint, ...]:
    """Return the endpoints that `connected` is proven against; empty for a connector without a stream.

    Of a type that is not known here, every key that ends in stream_url is one. Raises ResolveError, with the key and
    never with the URL, which may hold a token.
    """
    keys = _STREAM_KEYS.get(connector_type)
    if keys is None:
        keys = tuple(key for key in config if key.endswith("stream_url"))
    others = {place for key, value in _texts(config) if key not in keys and (place := _place(value)) is not None}
    found = []
    for key in keys:
        if key not in config:
            continue
        value = config[key]
        place = _place(value) if isinstance(value, str) and value.startswith(("ws://", "wss://")) else None
        if place is None:
            raise ResolveError(f"config/{key} is not a ws:// or wss:// URL with a host")
        found.append(Endpoint(*place, shared=place in others))
    return tuple(dict.fromkeys(found))


def _texts(config: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    return ((key, value) for key, value in config.items() if isinstance(value, str))


def _place(url: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or port == 0 or any(map(str.isspace, url)):
        return None
    return parts.hostname, _DEFAULT_PORTS[parts.scheme] if port is None else port
