from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.stack.interpolation import InterpolationError, expand

ENVIRON = {"A": "1", "EMPTY": "", "LONG_name2": "x"}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("${A}", "1"),
        ("a${A}b${LONG_name2}", "a1bx"),
        ("${NOT:-x y}", "x y"),
        ("${NOT:-}", ""),
        ("${EMPTY}", ""),
        ("${EMPTY:-d}", "d"),
        ("${A:-d}", "1"),
        ("${A:?needed}", "1"),
        ("$$", "$"),
        ("$${A}", "${A}"),
        ("$$$${A}", "$${A}"),
        ("done$", "done$"),
        ("$5 {A}", "$5 {A}"),
        ("^[a-z]$|x", "^[a-z]$|x"),
    ],
)
def test_variables_are_replaced(text: str, expanded: str) -> None:
    assert expand(text, ENVIRON)[0] == expanded


@pytest.mark.parametrize(
    ("text", "rule", "says"),
    [
        ("${NOT}", "variable-unset", "NOT is not set"),
        ("${NOT:?ask Ann}", "variable-unset", "ask Ann"),
        ("${EMPTY:?}", "variable-unset", "it is required"),
        ("${A", "interpolation-syntax", "never closed"),
        ("${}", "interpolation-syntax", "not understood"),
        ("${A-b}", "interpolation-syntax", "not understood"),
        ("${1}", "interpolation-syntax", "not understood"),
        ("${A:-${B}}", "interpolation-syntax", "holds another"),
        ("pa$word", "interpolation-syntax", "before a letter"),
        ("${secret:key}", "secret-place", "configs of connectors alone"),
    ],
)
def test_what_cannot_be_replaced_is_an_error(text: str, rule: str, says: str) -> None:
    with pytest.raises(InterpolationError, match=says) as caught:
        expand(text, ENVIRON)

    assert caught.value.rule == rule


@pytest.mark.parametrize("value", ["\udcff", "a\0b"])
def test_a_value_that_is_no_text_is_an_error_without_the_value(value: str) -> None:
    with pytest.raises(InterpolationError) as caught:
        expand("${A}", {"A": value})

    assert caught.value.rule == "variable-encoding"
    assert value not in str(caught.value)


def test_a_value_is_not_expanded_again() -> None:
    assert expand("${A}", {"A": "${B} $$"}) == ("${B} $$", True)


@given(st.text())
def test_doubled_dollar_signs_give_any_text(text: str) -> None:
    assert expand(text.replace("$", "$$"), {}) == (text, False)
