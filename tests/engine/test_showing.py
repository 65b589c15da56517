"""What of a config a plan may show."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Final

import pytest

from orchestrator.deployment.model import File
from orchestrator.engine.showing import shown
from tests.supervise.specs import connector, deployment

TEXT: Final = """
rate = 10
symbols = ["hush", "b"]
order_prefix = "hush-p"
nothing = ""
api_key = "${secret:k}"
secret = "${VAR}"
url = "wss://hush@example.org"
stream_url = "wss://example.org/ws"
api_url = "https://example.org/?key=hush"
[faults]
on = true
note = "hush"
"""
PLAIN: Final = hashlib.sha256(TEXT.encode()).hexdigest()


def _table(kind: str, digest: str) -> dict[str, str]:
    unit = replace(connector("bf"), type=kind, files=(File("/c/bf.toml", digest),))
    return dict(shown(b"k", {"/c/bf.toml": TEXT.encode()}.get, deployment(unit)).tables["/c/bf.toml"])


def test_of_a_connector_s_config_only_what_is_known_to_be_public_is_shown() -> None:
    table = _table("binancefutures", PLAIN)

    assert table["order_prefix"] == '"hush-p"'
    assert table["stream_url"] == '"wss://example.org/ws"'
    assert (table["api_key"], table["secret"], table["nothing"]) == ("${secret:k}", "${VAR}", "")
    for name in ("rate", "symbols", "url", "api_url", "faults.on", "faults.note"):
        assert table[name].startswith("#")
        assert len(table[name]) == 9


def test_a_key_that_is_no_word_is_known_by_its_digest_and_takes_no_other_s_place() -> None:
    text = b"'api_key:hush' = 1\n'api_key:hash' = 2\nplain_key = 3\n"
    unit = replace(connector("bf"), type="kraken", files=(File("/c/bf.toml", "f" * 64),))
    table = shown(b"k", {"/c/bf.toml": text}.get, deployment(unit)).tables["/c/bf.toml"]

    assert "hush" not in str(table)
    assert [name.partition("#")[0] for name in table] == ["api_key…", "api_key…", "plain_key"]


def test_of_a_simulator_s_config_all_is_shown() -> None:
    table = _table("sim", PLAIN)

    assert (table["rate"], table["symbols"], table["faults.note"]) == ("10", '["hush", "b"]', '"hush"')


def test_where_secrets_were_filled_in_no_text_of_it_is_shown() -> None:
    table = _table("sim", "f" * 64)

    assert "hush" not in "".join(table.values())
    assert (table["rate"], table["faults.on"], table["nothing"]) == ("10", "true", "")
    assert table["symbols"].startswith("#")


def test_what_cannot_be_read_is_not_known() -> None:
    unit = replace(connector("bf"), type="sim", files=(File("/c/bf.toml", PLAIN),))

    for there in ({}, {"/c/bf.toml": b"\xff"}, {"/c/bf.toml": b"no toml"}):
        with pytest.raises(KeyError):
            shown(b"k", there.get, deployment(unit)).tables["/c/bf.toml"]
