"""Each rule has a page, and a bad stack file that breaks it and nothing else, not even a little."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.venue.ruleset import RULES
from tests import bad

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "rules"


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_s_bad_file_breaks_it_and_nothing_else(rule: str) -> None:
    (file,) = [file for file in bad.FILES if bad.rule_of(file) == rule]

    found = bad.mistakes(file)

    assert {(mistake.rule, mistake.severity) for mistake in found} == {(rule, RULES[rule].severity)}
    assert all(mistake.hint for mistake in found)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_s_page_says_what_it_costs_and_what_cures_it(rule: str) -> None:
    text = (PAGES / f"{rule}.md").read_text(encoding="utf-8")

    assert text.startswith(f"# {rule}\n\n{RULES[rule].title}.\n")
    assert f"{RULES[rule].severity.capitalize()}" in text
    ignorable = "may be ignored" if RULES[rule].ignorable else "cannot be ignored"
    assert ignorable in text
    assert len(text.split()) > 40


def test_every_rule_that_the_room_can_tell_is_in_the_set() -> None:
    shared = {"unknown-key", "missing-key", "wrong-type", "unknown-value"}
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "orchestrator" / "venue").glob("*.py"))
    told = set(re.findall(r'(?:Remark|fault|remark)\(\s*"([a-z][a-z-]*)"', sources))

    assert told - shared <= set(RULES)
    assert len(told & set(RULES)) > 20
