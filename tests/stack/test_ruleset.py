from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.errors import Diagnostic
from orchestrator.stack import ruleset as stack_rules
from orchestrator.venue import ruleset as venue_rules
from tests import bad

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("file", bad.FILES, ids=bad.name_of)
def test_a_bad_file_is_told_by_its_rule_with_a_place_and_a_cure(file: Path) -> None:
    found = [mistake for mistake in bad.mistakes(file) if mistake.rule == bad.rule_of(file)]

    assert found
    for mistake in found:
        assert mistake.file
        assert mistake.line > 0
        assert mistake.column > 0
        assert mistake.message.isprintable()
        assert mistake.hint
        assert bad.SECRET not in str(mistake)


@pytest.mark.parametrize("file", bad.FILES, ids=bad.name_of)
def test_a_bad_file_breaks_no_other_rule(file: Path) -> None:
    broken = {mistake.rule for mistake in bad.mistakes(file) if mistake.severity == "error"}

    assert broken <= {bad.rule_of(file)}


def test_every_rule_has_a_bad_file_and_every_bad_file_a_rule() -> None:
    assert {bad.rule_of(file) for file in bad.FILES} == bad.rules()


def test_no_two_rooms_have_a_rule_of_one_name() -> None:
    assert not stack_rules.RULES.keys() & venue_rules.RULES.keys()
    assert stack_rules.RULES.keys() | venue_rules.RULES.keys() == bad.rules()


def test_rules_stand_in_order_and_say_in_a_sentence_what_they_mean() -> None:
    assert list(stack_rules.RULES) == sorted(stack_rules.RULES)
    assert all(rule.replace("-", "").isalpha() and rule.islower() for rule in stack_rules.RULES)
    assert all(meaning[0].isupper() and meaning.endswith(".") for meaning in stack_rules.RULES.values())


def test_a_mistake_of_no_rule_cannot_be_told() -> None:
    with pytest.raises(AssertionError, match="no-such-rule"):
        Diagnostic("f", 1, 1, "", "m", "h", "no-such-rule")
