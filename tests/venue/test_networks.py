from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator import venue
from orchestrator.errors import StackError
from orchestrator.venue.hosts import HOSTS
from orchestrator.venue.networks import ENDPOINTS
from tests.venue.configs import CONFIGS
from tests.venue.conftest import rules

if TYPE_CHECKING:
    from tests.venue.conftest import Judge, Told

URLS = [(kind, network, key) for kind, network in CONFIGS for key in ENDPOINTS[kind]]
NETWORKS = ["mainnet", "testnet", "demo", "local"]
TESTNET = CONFIGS["binancefutures", "testnet"]


@pytest.mark.parametrize(("kind", "network"), CONFIGS)
def test_an_exchange_s_own_hosts_are_sound_on_their_network(judge: Judge, kind: str, network: str) -> None:
    assert judge(kind, network=network) == ()


@pytest.mark.parametrize(
    ("kind", "network", "key", "stack"),
    [
        (kind, network, key, stack)
        for kind, network, key in URLS
        for stack in NETWORKS
        if urlsplit(CONFIGS[kind, network][key]).hostname != urlsplit(CONFIGS[kind, stack][key]).hostname
    ],
)
def test_each_url_must_belong_to_the_network_of_the_stack(
    judge: Judge, kind: str, network: str, key: str, stack: str
) -> None:
    url = CONFIGS[kind, network][key]

    found = judge(kind, {key: url}, network=stack)

    wanted = "wrong-endpoint" if (kind, network, stack) == ("bybit", "demo", "demo") else "network-mismatch"
    assert rules(found) == [f"/connectors/c/config/{key} [{wanted}]"]


@pytest.mark.parametrize("stack", ["testnet", "demo", "local"])
@pytest.mark.parametrize("host", [name for name, host in HOSTS.items() if host.network == "mainnet"])
def test_a_mainnet_host_needs_network_mainnet_whoever_allows_it(judge: Judge, host: str, stack: str) -> None:
    table = CONFIGS["binancefutures", stack]
    endpoint = HOSTS[host].endpoint
    key = "api_url" if endpoint == "rest" else "stream_url"
    url = f"https://{host}" if key == "api_url" else f"wss://{host}/ws"

    found = judge("binancefutures", {**table, key: url}, network=stack, top={"allow_hosts": [host]})

    own = HOSTS[host].venue == "Binance USD-M futures" and endpoint in {"rest", "stream"}
    assert f"/connectors/c/config/{key} [{'network-mismatch' if own else 'wrong-endpoint'}]" in rules(found)


def test_the_message_names_both_networks_and_the_right_url(judge: Judge) -> None:
    (mistake,) = judge("binancefutures", {"api_url": "https://fapi.binance.com"})

    assert mistake.message == "https://fapi.binance.com is mainnet, the stack says testnet"
    assert mistake.hint == "use https://testnet.binancefuture.com, or set network: mainnet"


LOOK_ALIKES = {
    "the host as a part of another": ("wss://fstream.binancefuture.com.evil.example/ws", "unknown-host"),
    "the host after another": ("wss://evil-fstream.binancefuture.com/ws", "network-mismatch"),
    "a user name": ("wss://fstream.binancefuture.com@evil.example/ws", "url"),
    "a user name and password": ("wss://fstream.binancefuture.com:443@evil.example/ws", "url"),
    "another port": ("wss://fstream.binancefuture.com:8443/ws", "wrong-endpoint"),
    "an empty port": ("wss://fstream.binancefuture.com:/ws", "url"),
    "a port of zeros": ("wss://fstream.binancefuture.com:0443/ws", "url"),
    "a port that is too large": ("wss://fstream.binancefuture.com:65979/ws", "url"),
    "capital letters": ("wss://fstream.BINANCEfuture.com/ws", "url"),
    "a capital scheme": ("WSS://fstream.binancefuture.com/ws", "url"),
    "a trailing dot": ("wss://fstream.binancefuture.com./ws", "url"),
    "two dots": ("wss://fstream..binancefuture.com/ws", "url"),
    "punycode": ("wss://fstream.xn--inancefuture-9fb.com/ws", "unknown-host"),
    "a Cyrillic letter": ("wss://fstream.bin\u0430ncefuture.com/ws", "url"),
    "a full-width dot": ("wss://fstream.binancefuture\uff0ecom/ws", "url"),
    "a zero-width space": ("wss://fstream.binancefuture.com\u200b/ws", "url"),
    "a leading blank": (" wss://fstream.binancefuture.com/ws", "url"),
    "a trailing line end": ("wss://fstream.binancefuture.com/ws\n", "url"),
    "a tab inside": ("wss://fstream.binance\tfuture.com/ws", "url"),
    "a backslash": ("wss://evil.example\\@fstream.binancefuture.com/ws", "url"),
    "backslashes for slashes": ("wss:\\\\fstream.binancefuture.com/ws", "url"),
    "no slashes": ("wss:fstream.binancefuture.com/ws", "url"),
    "three slashes": ("wss:///fstream.binancefuture.com/ws", "url"),
    "no scheme": ("fstream.binancefuture.com/ws", "url"),
    "an escaped host": ("wss://fstream%2ebinancefuture.com/ws", "url"),
    "the host in a fragment": ("wss://evil.example#.fstream.binancefuture.com/ws", "url"),
    "the host in a query": ("wss://evil.example?.fstream.binancefuture.com/ws", "url-end"),
    "an address": ("wss://10.1.2.3/ws", "unknown-host"),
    "an IPv6 address": ("wss://[2001:db8::1]/ws", "unknown-host"),
    "an IPv6 address with a zone": ("wss://[fe80::1%25eth0]/ws", "url"),
    "an IPv4 address in IPv6": ("wss://[::ffff:10.1.2.3]/ws", "unknown-host"),
    "an address as one number": ("wss://2130706433/ws", "url"),
    "an address in hexadecimal": ("wss://0x7f.1/ws", "url"),
    "an address with zeros": ("wss://127.0.0.010/ws", "url"),
    "this machine": ("ws://127.0.0.1/ws", "network-mismatch"),
    "all of this machine": ("ws://0.0.0.0/ws", "unknown-host"),
    "another site of the exchange": ("wss://fstream3.binance.com/ws", "network-mismatch"),
    "nothing": ("", "url"),
    "a path": ("/ws", "url"),
}


@pytest.mark.parametrize(("url", "rule"), LOOK_ALIKES.values(), ids=LOOK_ALIKES)
def test_a_host_that_is_not_exactly_the_exchange_s_is_refused(judge: Judge, url: str, rule: str) -> None:
    found = judge("binancefutures", {"stream_url": url})

    assert rule in {mistake.rule for mistake in found}
    assert {(mistake.pointer, mistake.severity) for mistake in found} == {("/connectors/c/config/stream_url", "error")}


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("wss://fstream.binancefuture.com@evil.example/ws", "holds a user name"),
        ("wss:///ws", "has no host"),
        ("wss://fstream.BINANCEfuture.com/ws", "has a host with capital letters"),
        ("wss://fstream.binancefuture.com./ws", "has a host that ends with a dot"),
        ("wss://[fe80::1%25eth0]/ws", "has a host in brackets that is no IPv6 address"),
    ],
)
def test_what_is_wrong_with_a_host_is_said(judge: Judge, url: str, said: str) -> None:
    (mistake,) = judge("binancefutures", {"stream_url": url})

    assert said in mistake.message


@pytest.mark.parametrize("name", [name for name, (_, rule) in LOOK_ALIKES.items() if rule in {"url", "url-end"}])
def test_what_is_no_url_is_not_made_one_by_allowing_its_host(judge: Judge, name: str) -> None:
    url, rule = LOOK_ALIKES[name]
    top = {"allow_hosts": ["evil.example", "127.0.0.1", "127.0.0.8", "fstream.binancefuture.com"]}

    assert rule in {mistake.rule for mistake in judge("binancefutures", {"stream_url": url}, top=top)}


def test_an_unknown_host_is_allowed_by_its_exact_name(judge: Judge) -> None:
    urls = {"stream_url": "wss://proxy.example:8443/ws", "api_url": "https://proxy.example"}

    assert judge("binancefutures", urls, top={"allow_hosts": ["proxy.example"]}) == ()
    assert [m.rule for m in judge("binancefutures", urls, top={"allow_hosts": ["example", "y.example"]})] == [
        "allow-hosts-unused",
        "allow-hosts-unused",
        "unknown-host",
        "unknown-host",
    ]


@pytest.mark.parametrize(
    "host", ["10.1.2.3", "::1", "[::1]", "2001:db8:0:0::1", "exchange", "paper_exchange", "127.0.0.1"]
)
def test_addresses_and_short_names_can_be_allowed_too(judge: Judge, host: str) -> None:
    written = f"[{host}]" if ":" in host and "[" not in host else host

    found = judge("binancefutures", {"stream_url": f"ws://{written}:1/ws"}, top={"allow_hosts": [host]})

    assert found == ()


def test_a_host_of_an_exchange_that_the_table_lacks_counts_as_mainnet(judge: Judge) -> None:
    url = {"stream_url": "wss://fstream3.binance.com/ws"}
    allowed = {"allow_hosts": ["fstream3.binance.com"]}

    assert [m.rule for m in judge("binancefutures", url, top=allowed)] == ["network-mismatch"]
    assert [m.rule for m in judge("binancefutures", url, network="mainnet")] == ["unknown-host"]
    assert judge("binancefutures", url, network="mainnet", top=allowed) == ()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"])
def test_loopback_is_local(judge: Judge, host: str) -> None:
    assert judge("binancefutures", {"stream_url": f"ws://{host}:1/ws"}, network="local") == ()
    assert [m.rule for m in judge("binancefutures", {"stream_url": f"ws://{host}:1/ws"})] == ["network-mismatch"]


def test_an_unencrypted_url_of_an_exchange_is_refused(judge: Judge) -> None:
    found = judge("binancefutures", {"api_url": "http://testnet.binancefuture.com"})

    assert rules(found) == ["/connectors/c/config/api_url [url-scheme]"]


@pytest.mark.parametrize(
    ("key", "url"),
    [
        ("stream_url", "wss://stream.testnet.binance.vision/ws"),
        ("stream_url", "wss://testnet.binancefuture.com/ws"),
        ("api_url", "https://fstream.binancefuture.com"),
        ("api_url", "https://api-testnet.bybit.com"),
    ],
)
def test_a_url_of_another_venue_or_endpoint_is_refused(judge: Judge, key: str, url: str) -> None:
    assert rules(judge("binancefutures", {key: url})) == [f"/connectors/c/config/{key} [wrong-endpoint]"]


@pytest.mark.parametrize(
    ("key", "url"),
    [
        ("private_url", "wss://stream-testnet.bybit.com/v5/trade"),
        ("trade_url", "wss://stream-testnet.bybit.com/v5/private"),
        ("public_url", "wss://stream-testnet.bybit.com/v5/private"),
    ],
)
def test_bybit_s_streams_are_told_apart_by_their_paths(judge: Judge, key: str, url: str) -> None:
    assert rules(judge("bybit", {key: url})) == [f"/connectors/c/config/{key} [wrong-endpoint]"]


def test_bybit_s_demo_shares_two_streams_with_mainnet_and_nothing_else(judge: Judge) -> None:
    keys = {"api_key": "demo", "secret": "demo"}

    assert rules(judge("bybit", network="demo")) == []
    assert rules(judge("bybit", keys, network="demo")) == ["/connectors/c/config/trade_url [demo-trade]"]
    for key in ("private_url", "rest_url"):
        mainnet = {key: CONFIGS["bybit", "mainnet"][key]}
        assert rules(judge("bybit", mainnet, network="demo")) == [f"/connectors/c/config/{key} [network-mismatch]"]


def test_keys_that_travel_unencrypted_to_another_machine_are_a_warning(judge: Judge) -> None:
    keys = {"api_key": "key", "secret": "secret"}
    top = {"allow_hosts": ["proxy.example", "127.0.0.1"]}

    found = judge(
        "binancefutures", {**keys, "api_url": "http://proxy.example", "stream_url": "ws://127.0.0.1/ws"}, top=top
    )

    assert [(m.pointer, m.rule, m.severity) for m in found] == [
        ("/connectors/c/config/api_url", "plain-keys", "warning")
    ]
    assert judge("binancefutures", {"api_url": "http://proxy.example"}, top={"allow_hosts": ["proxy.example"]}) == ()


def test_every_url_of_a_connector_of_an_unknown_type_is_judged(told: Told) -> None:
    found = told(
        "network: testnet\nconnectors:\n  c:\n    type: okx\n    config:\n"
        "      a: {urls: [wss://fstream.binance.com/ws, wss://unknown.example]}\n      rest_url: ' https://x'\n"
        "      note: no URL\n      base: https://api-testnet.bybit.com\n"
    )

    assert rules(found) == [
        "/connectors/c/type [unknown-type]",
        "/connectors/c/config/a/urls/0 [network-mismatch]",
        "/connectors/c/config/a/urls/1 [unknown-host]",
        "/connectors/c/config/rest_url [url]",
    ]


MAINNET_TEXTS = {
    "a host": ("host", "fapi.binance.com"),
    "a host and a port": ("ws_host", "fstream.binance.com:443"),
    "a host and a path": ("endpoint", "fstream.binance.com/ws"),
    "a host in capital letters": ("host", "FAPI.Binance.com"),
    "a host with a dot at its end": ("host", "fapi.binance.com."),
    "a domain that hosts are made of": ("domain", "bybit.com"),
    "a host that the table lacks": ("host", "fapi9.binance.com"),
    "a host in a list": ("hosts", ["testnet.binancefuture.com", "api.bybit.com"]),
    "a host among words": ("args", "--rest fapi.binance.com --fast"),
    "a host for a key": ("weights", {"fapi.binance.com": 1}),
    "a host in the path of a proxy": ("url", "https://proxy.example/fapi.binance.com/v1"),
    "a host in the query of a proxy": ("url", "https://proxy.example/?to=https%3A%2F%2Ffapi.binance.com"),
}


@pytest.mark.parametrize(("key", "value"), MAINNET_TEXTS.values(), ids=MAINNET_TEXTS)
@pytest.mark.parametrize("network", ["testnet", "demo", "local"])
def test_an_exchange_s_host_is_judged_wherever_a_connector_of_an_unknown_type_names_it(
    told: Told, key: str, value: object, network: str
) -> None:
    allowed = ["proxy.example"] if key == "url" else []
    unit = {"type": "okx", "config": {key: value}, "ignore": {"unknown-type": "a fork's"}}
    stack = {"allow_hosts": allowed, "connectors": {"c": unit}}

    found = told(json.dumps({"network": network, **stack}))
    at_home = told(json.dumps({"network": "mainnet", **stack}))

    assert {(m.rule, m.severity) for m in found} == {("network-mismatch", "error")}
    assert all(m.pointer.startswith(f"/connectors/c/config/{key}") for m in found)
    assert [m.rule for m in at_home] == (["network-mismatch"] if key == "hosts" else [])


@pytest.mark.parametrize(
    "text",
    ["testnet.binancefuture.com", "see fstream.binancefuture.com:443/ws", "fapi.binance.com.example", "a.b", "binance"],
)
def test_other_texts_of_a_connector_of_an_unknown_type_are_its_own(told: Told, text: str) -> None:
    unit = {"type": "okx", "config": {"text": text}, "ignore": {"unknown-type": "a fork's"}}

    assert told(json.dumps({"network": "testnet", "connectors": {"c": unit}})) == ()


def test_a_proxy_to_mainnet_is_mainnet(judge: Judge) -> None:
    top = {"allow_hosts": ["proxy.example"]}
    url = {"api_url": "https://proxy.example/fapi.binance.com"}

    found = judge("binancefutures", url, top=top)

    assert rules(found) == ["/connectors/c/config/api_url [network-mismatch]"]
    assert judge("binancefutures", {"api_url": "https://proxy.example/testnet.binancefuture.com"}, top=top) == ()


@pytest.mark.parametrize("host", ["Proxy.example", "https://proxy.example", "proxy.example:443", "a b", "", "::g", "*"])
def test_allow_hosts_holds_hosts_and_nothing_else(judge: Judge, host: str) -> None:
    (mistake,) = judge("binancefutures", top={"allow_hosts": [host]})

    assert (mistake.pointer, mistake.rule) == ("/allow_hosts/0", "allow-hosts")


def test_allowing_an_exchange_s_host_is_told_to_be_without_effect(judge: Judge) -> None:
    (mistake,) = judge("binancefutures", top={"allow_hosts": ["testnet.binancefuture.com"]})

    assert (mistake.rule, mistake.severity) == ("allow-hosts-unused", "warning")
    assert "network: speaks alone" in mistake.message


def test_allow_hosts_takes_no_variables(told: Told) -> None:
    found = told("network: local\nallow_hosts: ['${HOST}']\nconnectors: {c: {type: sim}}\n", {"HOST": "x.example"})

    assert rules(found) == ["/allow_hosts/0 [interpolation-forbidden]"]


def _accepted(kind: str, network: str, key: str, text: str) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "s.yaml"
        config = {**CONFIGS[kind, network], key: text}
        file.write_text(json.dumps({"network": network, "connectors": {"c": {"type": kind, "config": config}}}))
        try:
            venue.load(file, {})
        except StackError:
            return False
        return True


@settings(deadline=None, max_examples=400)
@given(
    st.sampled_from([(kind, network, key) for kind, network, key in URLS if network != "local"]),
    st.data(),
)
def test_no_mutation_of_a_url_leads_to_another_host(case: tuple[str, str, str], data: st.DataObject) -> None:
    kind, network, key = case
    url = CONFIGS[kind, network][key]
    at = data.draw(st.integers(0, len(url)))
    cut = data.draw(st.integers(0, 3))
    pieces = st.sampled_from(
        ["@", ":", ".", "/", "\\", "#", "?", "%2e", "evil.example", "e", "-", "\t", "\u0430", "A", "//"]
    )
    text = url[:at] + data.draw(st.one_of(pieces, st.text(max_size=3))) + url[at + cut :]

    if _accepted(kind, network, key, text):
        host = urlsplit(text).hostname
        assert host in {urlsplit(CONFIGS[kind, network][other]).hostname for other in ENDPOINTS[kind]} | {
            name
            for name, known in HOSTS.items()
            if known.network == network and known.venue == HOSTS[str(urlsplit(url).hostname)].venue
        }
        assert urlsplit(text).username is None
