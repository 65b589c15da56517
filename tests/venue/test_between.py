from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.stack.draft import Configured
from orchestrator.venue import between
from tests.venue.configs import CONFIGS, PEM, SECRET
from tests.venue.conftest import rules

if TYPE_CHECKING:
    from tests.venue.conftest import Told


def stack(*connectors: tuple[str, str, str], network: str = "testnet") -> str:
    """Return a stack of connectors, each given by type, API key and order prefix."""
    units = {}
    for index, (kind, key, prefix) in enumerate(connectors):
        secret = "" if not key else PEM if kind == "binancespot" else "secret"
        table = {**CONFIGS[kind, network], "api_key": key, "secret": secret, "order_prefix": prefix}
        units[f"c{index}"] = {"type": kind, "config": table}
    return json.dumps({"network": network, "connectors": units})


@pytest.mark.parametrize(
    ("first", "second", "what"),
    [
        ("mm", "mm", "is that of c0"),
        ("mm", "mm1", "begins with that of c0"),
        ("", "mm", "begins with the empty one of c0"),
        ("", "", "is empty, like that of c0"),
    ],
)
def test_connectors_on_one_account_need_prefixes_apart(told: Told, first: str, second: str, what: str) -> None:
    (mistake,) = told(stack(("binancefutures", "key", first), ("binancefutures", "key", second)))

    assert (mistake.rule, mistake.severity) == ("shared-prefix", "error")
    assert mistake.pointer == "/connectors/c1/config/order_prefix"
    assert what in mistake.message


def test_the_one_that_begins_with_the_other_is_the_wrong_one_whatever_the_order(told: Told) -> None:
    (mistake,) = told(stack(("bybit", "key", "mm1"), ("bybit", "key", "mm")))

    assert mistake.pointer == "/connectors/c0/config/order_prefix"


@pytest.mark.parametrize(
    "connectors",
    [
        (("bybit", "key", "mm1"), ("bybit", "key", "mm2")),
        (("bybit", "key", "mm1"), ("bybit", "other", "mm1")),
        (("binancefutures", "", ""), ("binancefutures", "", "")),
        (("binancefutures", "key", "mm1"), ("binancespot", "key", "mm1")),
        (("binancefutures", "key", "mm1"), ("binancefutures", "", "mm1")),
    ],
    ids=["apart", "two accounts", "no account", "two exchanges", "one without account"],
)
def test_other_prefixes_are_nobody_s_business(told: Told, connectors: tuple[tuple[str, str, str], ...]) -> None:
    assert told(stack(*connectors)) == ()


def test_keys_from_variables_are_compared_by_their_values_and_not_shown(told: Told) -> None:
    text = stack(("bybit", "${A}", "mm"), ("bybit", "${B}", "mm"))

    assert rules(told(text, {"A": SECRET, "B": SECRET})) == ["/connectors/c1/config/order_prefix [shared-prefix]"]
    assert SECRET not in str(told(text, {"A": SECRET, "B": SECRET}))
    assert told(text, {"A": SECRET, "B": f"{SECRET}2"}) == ()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text("ab", max_size=4), min_size=1, max_size=7))
def test_exactly_the_prefixes_that_begin_with_another_are_found(prefixes: list[str]) -> None:
    configs = {
        str(index): Configured("", {"api_key": "k", "secret": "s", "order_prefix": prefix})
        for index, prefix in enumerate(prefixes)
    }

    remarks = between.prefixes(dict.fromkeys(configs, "bybit"), configs)
    found = {remark.units[0] for remark in remarks if remark.rule == "shared-prefix"}

    wanted = {
        str(index)
        for index, other in itertools.permutations(range(len(prefixes)), 2)
        if prefixes[index].startswith(prefixes[other]) and (prefixes[index] != prefixes[other] or other < index)
    }
    assert found == wanted


def test_a_core_of_two_units_is_a_warning_at_the_second(told: Told) -> None:
    found = told(
        "network: local\nconnectors:\n  a: {type: sim, resources: {cpus: [2, 3]}}\n"
        "  b: {type: sim, resources: {cpus: [4, 3, 2]}}\n  c: {type: sim, resources: {cpus: [5]}}\n"
        "services:\n  s: {command: [x], resources: {cpus: [5]}}\n"
    )

    assert rules(found) == [
        "/connectors/b/resources/cpus/1 [shared-core]",
        "/connectors/b/resources/cpus/2 [shared-core]",
        "/services/s/resources/cpus/0 [shared-core]",
    ]
    assert {mistake.severity for mistake in found} == {"warning"}
    assert "that of c too" in found[2].message


def test_a_single_core_for_a_real_connector_is_a_warning(told: Told) -> None:
    table = json.dumps(CONFIGS["binancefutures", "testnet"])
    found = told(
        f"network: testnet\nconnectors:\n  a: {{type: binancefutures, resources: {{cpus: [2]}}, config: {table}}}\n"
        f"  b: {{type: binancefutures, resources: {{cpus: [3, 4]}}, config: {table}}}\n"
        "  s: {type: sim, resources: {cpus: [5]}}\n"
    )

    assert rules(found) == ["/connectors/a/resources/cpus [single-core]"]


def _bots(count: int, *, more: str = "", top: str = "") -> str:
    bots = "".join(f"  b{index}: {{command: [bot], depends_on: [c]}}\n" for index in range(count))
    return f"network: local\n{top}connectors:\n  c: {{type: sim}}\nbots:\n{bots}{more}"


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        (_bots(19), None),
        (_bots(20), 19),
        (_bots(19, more="  r: {command: [bot], depends_on: {c: {}}}\n"), 19),
        (_bots(19, more="  r: {command: [bot], depends_on: [c], attached: false}\n"), None),
        (_bots(19, more="  r: {command: [bot], depends_on: [b1]}\n"), None),
        (_bots(4, top="channel: {max_bots: 4}\n"), None),
        (_bots(5, top="channel: {max_bots: 4}\n"), 4),
        (_bots(20, top="channel: {max_bots: 500}\n"), 19),
    ],
)
def test_a_channel_holds_nineteen_bots_or_as_many_as_it_is_told_to(told: Told, text: str, holds: int | None) -> None:
    found = told(text)

    assert rules(found) == ([] if holds is None else ["/connectors/c [too-many-bots]"])
    assert holds is None or f"which holds {holds}" in found[0].message


@pytest.mark.parametrize("key", ["command", "package"])
def test_channel_settings_are_the_stack_s_alone(told: Told, key: str) -> None:
    how = (
        "command: [env, HFTBACKTEST_CHANNEL_CONFIG=a.toml, x]"
        if key == "command"
        else "package: x, args: [HFTBACKTEST_CHANNEL_CONFIG=a.toml]"
    )

    found = told(f"network: local\nservices:\n  s: {{{how}}}\n")

    assert [mistake.rule for mistake in found] == ["channel-settings"]


def test_a_simulated_bot_cannot_hear_a_real_connector(told: Told) -> None:
    table = json.dumps(CONFIGS["binancefutures", "testnet"])

    found = told(
        f"network: testnet\nconnectors:\n  a: {{type: binancefutures, config: {table}}}\n  s: {{type: sim}}\n"
        "bots:\n  mm: {type: sim, depends_on: [s, a]}\n  ok: {type: sim, depends_on: [s]}\n"
    )

    assert rules(found) == ["/bots/mm/depends_on [sim-bot]"]


def test_a_thousand_connectors_on_one_account_are_compared_in_one_pass(told: Told) -> None:
    apart = [("binancefutures", "key", f"p{index:04}") for index in range(1000)]

    assert told(stack(*apart)) == ()
    assert len(told(stack(*apart, ("binancefutures", "key", "p0500x")))) == 1
