from __future__ import annotations

import pytest

from orchestrator.deployment.model import Endpoint
from orchestrator.resolve.error import ResolveError
from orchestrator.resolve.streams import endpoints


@pytest.mark.parametrize(
    ("kind", "config", "expected"),
    [
        ("binancefutures", {"stream_url": "wss://h.example/ws"}, (Endpoint("h.example", 443),)),
        ("binancespot", {"stream_url": "ws://h.example/ws"}, (Endpoint("h.example", 80),)),
        ("binancefutures", {"stream_url": "wss://[::1]:9443/ws"}, (Endpoint("::1", 9443),)),
        (
            "bybit",
            {"public_url": "wss://s.example/v5/public/linear", "private_url": "wss://s.example/v5/private"},
            (Endpoint("s.example", 443, shared=True),),
        ),
        (
            "binancefutures",
            {"stream_url": "wss://s.example/ws", "api_url": "https://a.example"},
            (Endpoint("s.example", 443),),
        ),
        (
            "binancefutures",
            {"stream_url": "wss://s.example/ws", "api_url": "https://s.example:443/fapi"},
            (Endpoint("s.example", 443, shared=True),),
        ),
        (
            "mine",
            {"stream_url": "ws://a:1/", "user_stream_url": "ws://b:2/", "stream_urls": "ws://c:3"},
            (Endpoint("a", 1), Endpoint("b", 2)),
        ),
        ("mine", {"stream_url": "ws://a:1/x", "other_stream_url": "ws://a:1/y"}, (Endpoint("a", 1),)),
        ("sim", {"stream_url": "ws://a:1/"}, ()),
        ("binancefutures", {}, ()),
        (
            "binancefutures",
            {"stream_url": "wss://s.example/ws", "order_prefix": "http://["},
            (Endpoint("s.example", 443),),
        ),
    ],
)
def test_the_stream_is_read_from_the_config(
    kind: str, config: dict[str, object], expected: tuple[Endpoint, ...]
) -> None:
    assert endpoints(kind, config) == expected


@pytest.mark.parametrize(
    "url",
    ["", "h.example", "https://h.example", "wss://", "wss://h:99999/", "wss://h:0/", "wss://[::1/", "ws://a b/", 7],
)
def test_a_url_that_is_no_stream_is_refused_by_key(url: object) -> None:
    with pytest.raises(ResolveError) as caught:
        endpoints("binancefutures", {"stream_url": url})
    assert caught.value.message == "config/stream_url is not a ws:// or wss:// URL with a host"
