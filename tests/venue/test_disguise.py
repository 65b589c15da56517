from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.venue.conftest import rules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.venue.conftest import Told

ARGUMENTS = ["bf", "binancefutures", "mainnet.toml"]


def declared(section: str, unit: Mapping[str, object]) -> str:
    return json.dumps({"network": "testnet", section: {"u": unit}})


@pytest.mark.parametrize("section", ["services", "bots"])
@pytest.mark.parametrize(
    ("unit", "place"),
    [
        ({"package": "connector", "args": ARGUMENTS}, "package"),
        ({"package": "connector", "bin": "connector"}, "package"),
        ({"package": "fork", "bin": "connector", "args": ARGUMENTS}, "bin"),
        ({"command": ["target/release/connector", *ARGUMENTS]}, "command/0"),
        ({"command": ["taskset", "-c", "3", "/opt/hft/connector", *ARGUMENTS]}, "command/3"),
        ({"command": ["cargo", "run", "--bin", "connector", "--release", "--", *ARGUMENTS]}, "command/3"),
        ({"command": ["sh", "-c", "exec ./connector bf bybit m.toml"]}, "command/2"),
    ],
)
def test_a_connector_belongs_where_its_urls_are_judged(
    told: Told, section: str, unit: Mapping[str, object], place: str
) -> None:
    found = told(declared(section, unit))

    assert rules(found) == [f"/{section}/u/{place} [connector-place]"]
    assert found[0].severity == "error"


@pytest.mark.parametrize(
    "unit",
    [
        {"package": "exchange", "args": ARGUMENTS},
        {"package": "connector", "bin": "recorder", "args": ["bf"]},
        {"package": "fork", "bin": "connector", "args": ["bf"]},
        {"command": ["python", "bots/mm.py", "--connector", "bf", "binancefutures"]},
        {"command": ["mm", "connector", "binancefutures", "mm.toml"]},
        {"command": ["./connector"]},
    ],
)
def test_other_programs_may_be_about_connectors(told: Told, unit: Mapping[str, object]) -> None:
    assert told(declared("services", unit)) == ()


def test_nobody_may_ignore_a_connector_that_is_none(told: Told) -> None:
    unit = {"package": "connector", "args": ARGUMENTS, "ignore": {"connector-place": "we know"}}

    assert [mistake.rule for mistake in told(declared("services", unit))] == ["connector-place", "ignore"]
