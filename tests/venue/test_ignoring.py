from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator import venue
from orchestrator.venue.ruleset import RULES
from tests.venue.conftest import rules

if TYPE_CHECKING:
    from pathlib import Path

    from tests.venue.conftest import Judge, Told

CORES = """\
network: local
connectors:
  a: {{type: sim, resources: {{cpus: [2]}}{a}}}
  b: {{type: sim, resources: {{cpus: [2]}}{b}}}
  c: {{type: sim, resources: {{cpus: [2]}}}}
"""
REASON = ", ignore: {shared-core: the recorder may wait}"


def test_a_reason_silences_the_rule_for_its_unit_only(told: Told) -> None:
    assert rules(told(CORES.format(a="", b=REASON))) == ["/connectors/c/resources/cpus/0 [shared-core]"]


def test_either_unit_of_a_pair_may_give_the_reason(told: Told) -> None:
    assert told(CORES.format(a=REASON, b="")) == ()


def test_what_is_ignored_is_kept_with_its_reason(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(CORES.format(a="", b=REASON), encoding="utf-8")

    stack = venue.load(file, {})

    (ignored,) = stack.ignored
    assert (ignored.rule, ignored.ignored, ignored.line) == ("shared-core", "the recorder may wait", 4)
    assert len(stack.warnings) == 1


@pytest.mark.parametrize("rule", [rule.id for rule in RULES.values() if not rule.ignorable])
def test_a_rule_that_guards_money_cannot_be_ignored(judge: Judge, rule: str) -> None:
    found = judge("binancefutures", {"api_url": "https://fapi.binance.com"}, unit={"ignore": {rule: "trust me"}})

    assert rules(found) == [
        "/connectors/c/config/api_url [network-mismatch]",
        f"/connectors/c/ignore/{rule} [ignore]",
    ]


@pytest.mark.parametrize("reason", ["''", "' '"])
def test_a_reason_is_given(told: Told, reason: str) -> None:
    found = told(CORES.format(a="", b=f", ignore: {{shared-core: {reason}}}"))

    assert "/connectors/b/ignore/shared-core [ignore]" in rules(found)
    assert "/connectors/b/resources/cpus/0 [shared-core]" in rules(found)


def test_an_unknown_rule_is_named_with_the_nearest(told: Told) -> None:
    (mistake,) = [m for m in told(CORES.format(a="", b=", ignore: {shared-cores: x}")) if m.rule == "ignore"]

    assert mistake.hint == "did you mean shared-core?"


def test_an_ignore_that_is_not_needed_any_more_is_a_warning(told: Told) -> None:
    (mistake,) = told("network: local\nconnectors: {a: {type: sim, ignore: {shared-core: x}}}\n")

    assert (mistake.rule, mistake.severity) == ("ignore-unused", "warning")


def test_a_reason_takes_no_variables(told: Told) -> None:
    found = told(CORES.format(a="", b=", ignore: {shared-core: '${WHY}'}"), {"WHY": ""})

    assert "interpolation-forbidden" in {mistake.rule for mistake in found}


def test_a_reason_to_share_a_prefix_may_be_for_another_stack(told: Told) -> None:
    assert told("network: local\nconnectors: {a: {type: sim, ignore: {shared-prefix: one desk}}}\n") == ()
