from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.venue.models import MODELS
from tests.venue.configs import CONFIGS, PEM, SECRET
from tests.venue.conftest import rules

if TYPE_CHECKING:
    from tests.venue.conftest import Judge, Told

UPSTREAM = Path(os.environ.get("HFTBACKTEST_ROOT", "/nonexistent")) / "connector" / "src"
KEYED = {"api_key": "key", "secret": "secret"}


@pytest.mark.parametrize(("kind", "key"), [(kind, key) for kind, model in MODELS.items() for key in model.model_fields])
def test_exactly_the_required_keys_are_required(judge: Judge, kind: str, key: str) -> None:
    required = {"stream_url", "api_url"} if kind != "bybit" else set(MODELS["bybit"].model_fields)

    found = rules(judge(kind, {key: None}))

    assert found == (["/connectors/c/config [missing-key]"] if key in required else [])


@pytest.mark.parametrize(("kind", "key"), [(kind, key) for kind, model in MODELS.items() for key in model.model_fields])
@pytest.mark.parametrize("value", [1, True, 1.5, ["a"], {"a": "b"}])
def test_every_key_holds_text(judge: Judge, kind: str, key: str, value: object) -> None:
    rule = "unknown-value" if key == "category" else "wrong-type"

    assert rules(judge(kind, {key: value})) == [f"/connectors/c/config/{key} [{rule}]"]


@pytest.mark.parametrize(
    ("kind", "written", "meant"),
    [
        ("binancefutures", "secret_key", "secret"),
        ("binancefutures", "api_secret", "secret"),
        ("binancefutures", "apiKey", "api_key"),
        ("binancefutures", "api-key", "api_key"),
        ("binancefutures", "API_KEY", "api_key"),
        ("binancefutures", "prefix", "order_prefix"),
        ("binancefutures", "order_prefx", "order_prefix"),
        ("binancefutures", "rest_url", "api_url"),
        ("binancespot", "ws_url", "stream_url"),
        ("binancespot", "wsapi_url", "ws_api_url"),
        ("bybit", "stream_url", "public_url"),
        ("bybit", "api_url", "rest_url"),
        ("bybit", "privat_url", "private_url"),
    ],
)
def test_a_key_that_the_connector_would_ignore_is_an_error_with_the_nearest_one(
    judge: Judge, kind: str, written: str, meant: str
) -> None:
    (mistake,) = judge(kind, {written: SECRET, meant: None})

    assert (mistake.pointer, mistake.rule) == (f"/connectors/c/config/{written}", "unknown-key")
    assert mistake.hint == f"did you mean {meant}?"
    assert f'ignores the key "{written}"' in mistake.message
    assert SECRET not in str(mistake)


@pytest.mark.parametrize(
    ("key", "cure"),
    [("symbols", "its bots register"), ("testnet", "the URLs are the network"), ("general", "stand at the top")],
)
def test_what_tutorials_of_forks_show_is_explained(judge: Judge, key: str, cure: str) -> None:
    (mistake,) = judge("binancefutures", {key: ["BTCUSDT"]})

    assert mistake.hint is not None
    assert cure in mistake.hint


def test_a_key_that_may_be_a_secret_is_not_shown(judge: Judge) -> None:
    (mistake,) = judge("binancefutures", {"k3yW1thD1g1ts": ""})

    assert "k3yW1thD1g1ts" not in mistake.message


def test_thousands_of_unknown_keys_are_told_in_a_few_lines(judge: Judge) -> None:
    found = judge("binancefutures", {f"key_{index}": "x" for index in range(5000)})

    assert len(found) == 21
    assert "there are 4980 more keys" in found[-1].message + found[0].message + "".join(m.message for m in found)


def test_a_missing_url_is_shown_as_it_would_be_written(judge: Judge) -> None:
    (mistake,) = judge("bybit", {"public_url": None})

    assert mistake.hint == "add public_url: wss://stream-testnet.bybit.com/v5/public/linear"


@pytest.mark.parametrize("key", ["stream_url", "api_url"])
def test_a_url_does_not_end_with_a_slash(judge: Judge, key: str) -> None:
    url = CONFIGS["binancefutures", "testnet"][key] + "/"

    assert rules(judge("binancefutures", {key: url})) == [f"/connectors/c/config/{key} [url-end]"]


def test_only_a_url_to_which_nothing_is_added_may_have_a_query(judge: Judge) -> None:
    query = "?max_active_time=1m"
    private = CONFIGS["bybit", "testnet"]["private_url"]

    assert judge("bybit", {"private_url": private + query}) == ()
    found = judge("binancefutures", {"stream_url": CONFIGS["binancefutures", "testnet"]["stream_url"] + query})
    assert rules(found) == ["/connectors/c/config/stream_url [url-end]"]


@pytest.mark.parametrize(
    ("kind", "key", "url"),
    [
        ("binancefutures", "stream_url", "https://fstream.binancefuture.com/ws"),
        ("binancefutures", "api_url", "wss://testnet.binancefuture.com"),
        ("bybit", "rest_url", "wss://api-testnet.bybit.com"),
        ("bybit", "trade_url", "https://stream-testnet.bybit.com/v5/trade"),
        ("binancespot", "ws_api_url", "https://ws-api.testnet.binance.vision/ws-api/v3"),
    ],
)
def test_streams_are_websockets_and_rest_is_not(judge: Judge, kind: str, key: str, url: str) -> None:
    assert rules(judge(kind, {key: url})) == [f"/connectors/c/config/{key} [url-scheme]"]


@pytest.mark.parametrize(
    ("kind", "prefix", "sound"),
    [
        ("binancefutures", "a" * 20, True),
        ("binancefutures", "a" * 21, False),
        ("binancefutures", "a.b:c/d_e-f", True),
        ("binancefutures", "a b", False),
        ("binancefutures", "a&b=c", False),
        ("binancefutures", "é", False),
        ("binancefutures", "a\n", False),
        ("binancespot", "a" * 20, True),
        ("binancespot", "a" * 21, False),
        ("binancespot", "a.b", False),
        ("bybit", "a" * 8, True),
        ("bybit", "a" * 9, False),
        ("bybit", "a/b", False),
        ("bybit", "éééé", False),
        ("bybit", "ééééé", False),
        ("bybit", "", True),
    ],
)
def test_an_order_prefix_fits_the_exchange_s_order_ids(judge: Judge, kind: str, prefix: str, sound: bool) -> None:  # noqa: FBT001 - a column
    found = rules(judge(kind, {"order_prefix": prefix}))

    assert found == ([] if sound else ["/connectors/c/config/order_prefix [order-prefix]"])


@pytest.mark.parametrize("value", [f" {SECRET}", f"{SECRET}\n", f"{SECRET}é", f'"{SECRET} "'])
@pytest.mark.parametrize("key", ["api_key", "secret"])
def test_a_key_that_was_copied_badly_is_refused_and_not_shown(judge: Judge, key: str, value: str) -> None:
    found = judge("binancefutures", {**KEYED, key: value})

    assert rules(found) == [f"/connectors/c/config/{key} [key-text]"]
    assert SECRET not in str(found[0])


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("key", ["api_key", "secret"])
def test_half_a_pair_of_keys_is_refused(judge: Judge, kind: str, key: str) -> None:
    value = PEM if (kind, key) == ("binancespot", "secret") else "x"

    assert rules(judge(kind, {key: value})) == [f"/connectors/c/config/{key} [half-keyed]"]


def test_a_spot_connector_signs_with_ed25519_and_the_others_do_not(judge: Judge) -> None:
    pem = {"api_key": "key", "secret": PEM}

    assert judge("binancespot", pem) == ()
    assert rules(judge("binancespot", KEYED)) == ["/connectors/c/config/secret [secret-kind]"]
    assert rules(judge("binancefutures", pem)) == ["/connectors/c/config/secret [secret-kind]"]
    assert rules(judge("bybit", pem)) == ["/connectors/c/config/secret [secret-kind]"]


@pytest.mark.parametrize("value", [None, ""])
def test_a_keyed_spot_connector_needs_the_websocket_api(judge: Judge, value: str | None) -> None:
    found = judge("binancespot", {"api_key": "key", "secret": PEM, "ws_api_url": value})

    assert [mistake.rule for mistake in found] == ["ws-api-url"]
    assert judge("binancespot", {"ws_api_url": value}) == ()


def test_bybit_s_category_is_that_of_its_stream(judge: Judge) -> None:
    assert rules(judge("bybit", {"category": "spot"})) == ["/connectors/c/config/category [category]"]
    assert rules(judge("bybit", {"category": "Linear"})) == ["/connectors/c/config/category [unknown-value]"]
    inverse = CONFIGS["bybit", "testnet"]["public_url"].replace("linear", "inverse")
    assert judge("bybit", {"category": "inverse", "public_url": inverse}) == ()


def test_mistakes_in_a_toml_file_are_told_at_their_line_and_column(told: Told, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(
        '# testnet\nstream_url = "wss://fstream.binance.com/ws"\n"api_url"="https://testnet.binancefuture.com/" # x\n'
        'order_prefix = 5\n[general]\nsecret = "s"\n',
        encoding="utf-8",
    )

    found = told("network: testnet\nconnectors:\n  c: {type: binancefutures, config: c.toml}\n")

    assert [f"{Path(m.file).name}:{m.line}:{m.column} {m.pointer} [{m.rule}]" for m in found] == [
        "c.toml:2:14 /stream_url [network-mismatch]",
        "c.toml:3:11 /api_url [url-end]",
        "c.toml:4:16 /order_prefix [wrong-type]",
        "c.toml:5:2 /general [unknown-key]",
    ]


def test_a_toml_file_of_two_connectors_is_told_once(told: Told, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('stream_url = "wss://fstream.binancefuture.com/ws"\n', encoding="utf-8")

    found = told(
        "network: testnet\nconnectors:\n  c: {type: binancefutures, config: c.toml}\n"
        "  d: {type: binancefutures, config: c.toml}\n"
    )

    assert [mistake.rule for mistake in found] == ["missing-key"]


def test_mistakes_of_the_file_and_of_the_trading_are_told_together(told: Told) -> None:
    found = told(
        "network: testnet\nconnectors:\n  c:\n    type: binancefutures\n    restart: {policy: no}\n"
        "    config: {stream_url: wss://fstream.binance.com/ws, api_url: 5, secret: '${NOT_SET}'}\n"
    )

    assert rules(found) == [
        "/connectors/c/restart/policy [unknown-value]",
        "/connectors/c/config/stream_url [network-mismatch]",
        "/connectors/c/config/api_url [wrong-type]",
        "/connectors/c/config/secret [variable-unset]",
    ]


@pytest.mark.parametrize("kind", MODELS)
def test_the_models_have_the_keys_of_upstream_s_structs(kind: str) -> None:
    source = UPSTREAM / kind / "mod.rs"
    if not source.exists():
        pytest.skip("HFTBACKTEST_ROOT names no checkout of hftbacktest")
    struct = re.search(r"pub struct Config \{(.*?)\n\}", source.read_text(encoding="utf-8"), re.DOTALL)
    assert struct is not None
    fields = re.findall(r"(#\[serde\(default\)\]\s*)?(\w+): String", struct[1])

    assert {name: not default for default, name in fields} == {
        name: field.is_required() for name, field in MODELS[kind].model_fields.items()
    }
