"""A slip of the pen beside a key of an account: nothing that tells of it shows the key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from orchestrator import venue
from orchestrator.errors import StackError
from orchestrator.observe import diagnostics
from orchestrator.stack import canonical, loader
from orchestrator.venue.models import PUBLIC

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.errors import Diagnostic

SECRETS = [
    "vErYsEcReT7Hx0PqLmN2b",
    "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
    "dbefbc809e3e83c283a984c3a1459732ea7db1360ca80c5c2c8867408d28cc83",
    "AKIA4XQZ7PLMN2BVCDE5",
]
SLIPS = [
    "secret:K", "secret=K", "secret;K", "secret, K", "secret K", "K", "K, K", "? K", "K:", "K: x", "secret::K",
    "secret:K: x", '"secret:K"', '"secret:K": x', "'secret: K'", "secret:K token: x", "secret: {K}", "secret: {K: K}",
    "secret: [K: K]", "secret: !K x", "secret: &K K", "secret: *K", "secret: !K", "secret: {token:K}", "secret:K:",
    "secret:K, secret:K", "K: 1, K: 2", "secret: K", "secret: K K: K", "secret: {secret: {secret:K}}",
]  # fmt: skip
PLACES = {
    "the config of a known connector": "connectors: {bf: {type: binancefutures, config: {order_prefix: mm1, HERE}}}",
    "the config of an unknown one": "connectors: {bf: {type: kraken, config: {url: 'wss://kraken.example', HERE}}}",
    "the config in lines": "connectors:\n  bf:\n    type: bybit\n    config:\n      order_prefix: mm1\n      HERE",
    "a connector": "connectors: {bf: {type: sim, HERE}}",
    "the environment of a unit": "bots: {b: {command: [x], env: {HERE}}}",
    "the environment of all": "env: {HERE}\nbots: {b: {command: [x]}}",
    "the secrets": "secrets: {HERE}\nbots: {b: {command: [x]}}",
    "a secret": "secrets: {secret: {HERE}}\nbots: {b: {command: [x]}}",
    "what is there to be shared": "x-a: &a {HERE}\nconnectors: {bf: {type: bybit, config: *a}}\n",
    "what is merged": "x-a: &a {HERE}\nconnectors: {bf: {type: bybit, config: {<<: *a}}}\n",
    "the stack": "{network: testnet, HERE}",
}


def slips(place: str, secret: str) -> list[str]:
    """Return the slips at a place; where a secret has its name, any word may be one."""
    return [slip.replace("K", secret) for slip in SLIPS if place != "the secrets" or not slip.startswith("K:")]


def told(file: Path) -> tuple[Diagnostic, ...]:
    try:
        return venue.load(file, {}).warnings
    except StackError as error:
        return error.diagnostics


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("place", PLACES)
def test_no_message_shows_a_key_that_stands_where_it_should_not(place: str, secret: str, tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    for slip in slips(place, secret):
        head = "" if place == "the stack" else "network: testnet\n"
        file.write_text(head + PLACES[place].replace("HERE", slip) + "\n")
        found = told(file)
        sarif = diagnostics.as_sarif(found, version="1", titles={})
        texts = [*map(str, found), json.dumps(diagnostics.as_json([], found)), json.dumps(sarif)]

        assert secret not in "".join([*texts, diagnostics.as_github(found)]), slip


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("place", PLACES)
def test_the_canonical_form_shows_no_key_that_stands_where_it_should_not(place: str, secret: str) -> None:
    for slip in slips(place, secret):
        try:
            document = loader.parse("s.yaml", PLACES[place].replace("HERE", slip))
        except StackError:
            continue
        assert secret not in canonical.to_yaml(canonical.written(document, PUBLIC)), slip


@pytest.mark.parametrize(
    "key", ["secret", "order_prefix", "BINANCE_KEY_2", "IOX2_LOG_LEVEL", "apiKey", "x509", "1000PEPE"]
)
def test_a_key_that_is_one_is_shown(key: str, tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(f"network: testnet\nconnectors: {{bf: {{type: kraken, config: {{{key}: }}}}}}\n")

    assert f"/connectors/bf/config/{key}" in [diagnostic.pointer for diagnostic in told(file)]


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("connectors: {bf: {type: bybit, config: {api_key:K}}}", "1:41 /connectors/bf/config", "put a space after"),
        ("env: {RUST_LOG: info, TOKEN:x}", "1:23 /env", "put a space after"),
        ("env:\n  ? TOKEN\n  ? B\n  : x", "2:5 /env", "key: value"),
        ("env: {a # :\n , b: }", "1:7 /env", "key: value"),
    ],
)
def test_what_has_no_colon_is_told_as_that(text: str, place: str, hint: str) -> None:
    (mistake,) = loader.parse("s.yaml", text).mistakes

    assert f"{mistake.line}:{mistake.column} {mistake.pointer}" == place
    assert (mistake.rule, hint in (mistake.hint or "")) == ("key-without-colon", True)
