"""Where a runner's connector may go: what its URLs say of each other, and what its program says of them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from orchestrator import ConnectorRunnerError
from tests.venue.configs import CONFIGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.runner.conftest import Bench

KEYS = {"api_key": "key", "secret": "secret"}
NETWORKS = ("mainnet", "testnet", "demo", "local")


def toml(kind: str, network: str, changes: Mapping[str, str] = {}) -> str:
    return "".join(f'{key} = "{value}"\n' for key, value in {**CONFIGS[kind, network], **changes}.items())


@pytest.mark.parametrize(("kind", "network"), CONFIGS)
def test_each_exchange_s_own_urls_need_no_network(bench: Bench, kind: str, network: str) -> None:
    bench.runner(kind, toml(kind, network))


@pytest.mark.parametrize(("kind", "network"), CONFIGS)
def test_a_network_that_is_given_holds_for_every_url(bench: Bench, kind: str, network: str) -> None:
    bench.runner(kind, toml(kind, network), network=network)

    for other in set(NETWORKS) - {network}:
        with pytest.raises(ConnectorRunnerError, match=r"\[network-mismatch\]") as caught:
            bench.runner(kind, toml(kind, network), network=other)
        assert f"network= says {other}" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "network", "changes", "said"),
    [
        (
            "binancefutures",
            "testnet",
            {"api_url": "https://fapi.binance.com"},
            "2:11: /api_url: https://fapi.binance.com is mainnet, stream_url says testnet",
        ),
        (
            "binancefutures",
            "testnet",
            {"api_url": "https://api.bybit.com"},
            "2:11: /api_url: api.bybit.com is the rest endpoint of Bybit, not the rest of Binance USD-M futures",
        ),
        (
            "binancefutures",
            "mainnet",
            {"stream_url": "ws://127.0.0.1:17871/ws"},
            "1:14: /stream_url: ws://127.0.0.1:17871 is this machine, api_url says mainnet",
        ),
        (
            "binancefutures",
            "testnet",
            {"api_url": "https://fapi9.binance.com"},
            "2:11: /api_url: https://fapi9.binance.com is a host of binance.com that may be mainnet, stream_url says",
        ),
        (
            "bybit",
            "demo",
            {"rest_url": "https://api.bybit.com"},
            "4:12: /rest_url: https://api.bybit.com is mainnet, private_url says demo",
        ),
        (
            "binancefutures",
            "local",
            {"api_url": "https://fapi.binance.com.evil.example"},
            "/api_url: https://fapi.binance.com.evil.example is no exchange's host, though it resembles fapi.binance",
        ),
        (
            "binancefutures",
            "testnet",
            {"api_url": "https://proxy.example/fapi.binance.com"},
            "2:11: /api_url: this names fapi.binance.com, which is mainnet, and stream_url says testnet",
        ),
    ],
)
def test_urls_that_disagree_are_refused_at_their_place(
    bench: Bench, kind: str, network: str, changes: Mapping[str, str], said: str
) -> None:
    with pytest.raises(ConnectorRunnerError) as caught:
        bench.runner(kind, toml(kind, network, {**changes, **KEYS}))

    assert said in str(caught.value)
    assert "set network:" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"stream_url": "ws://exchange:8080/ws", "api_url": "http://exchange:8080"},
        {"api_url": "http://exchange:8080"},
        {"stream_url": "wss://proxy.example/ws"},
    ],
)
@pytest.mark.parametrize("network", ["testnet", "local"])
def test_a_host_of_which_nothing_is_known_disagrees_with_none(
    bench: Bench, network: str, changes: Mapping[str, str]
) -> None:
    text = toml("binancefutures", network, changes)
    bench.runner("binancefutures", text)

    with pytest.raises(ConnectorRunnerError, match=r"\[unknown-host\]"):
        bench.runner("binancefutures", text, network=network)
    bench.runner("binancefutures", text, network=network, allow_hosts=["exchange", "proxy.example"])


def test_a_proxy_on_this_machine_is_allowed_by_its_name(bench: Bench) -> None:
    text = toml("binancefutures", "testnet", {"stream_url": "wss://[::1]:8443/ws"})

    with pytest.raises(ConnectorRunnerError, match=r"add allow_hosts: \[::1\] for a proxy to testnet"):
        bench.runner("binancefutures", text)
    bench.runner("binancefutures", text, allow_hosts=["::1"])
    bench.runner("binancefutures", text, network="testnet", allow_hosts=["::1"])


def test_keys_for_the_mainnet_are_told_until_the_program_says_that_it_is_meant(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    text = toml("binancefutures", "mainnet", KEYS)

    bench.runner("binancefutures", toml("binancefutures", "mainnet"))
    bench.runner("binancefutures", toml("binancefutures", "testnet", KEYS))
    bench.runner("binancefutures", text, network="mainnet")
    assert caplog.text == ""
    bench.runner("binancefutures", text)
    assert 'bf: its keys act on the mainnet; network="mainnet" says that this is meant' in caplog.text


def test_a_file_that_changes_its_network_between_two_starts_is_refused(bench: Bench) -> None:
    runner = bench.runner("binancefutures", toml("binancefutures", "testnet"), network="testnet")
    bench.file("bf.toml", toml("binancefutures", "mainnet"))

    with pytest.raises(ConnectorRunnerError, match=r"\[network-mismatch\]"):
        runner.start()
    assert runner.process is None
