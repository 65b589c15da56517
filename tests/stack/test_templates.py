from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.stack import templates
from orchestrator.stack.interpolation import expand
from orchestrator.stack.templates import Template

_VALUES = {"a": "A$$", "b.c-d": "${secret:a}", "e": '"\n\\'}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("${secret:a}", "A$$"),
        ("x ${secret:a}${secret:b.c-d} $ y", "x A$$${secret:a} $ y"),
        ("${VAR}$${secret:e}", '${VAR}$"\n\\'),
    ],
)
def test_a_text_of_a_toml_file_is_filled_in_once_and_nothing_else_of_it_means_anything(text: str, filled: str) -> None:
    template = templates.parse(text)

    assert isinstance(template, Template)
    assert str(template) == text
    assert templates.filled([{"k": template}], _VALUES) == [{"k": filled}]


@pytest.mark.parametrize(
    "text", ["", "plain", "${VAR}", "$secret:a", "${secret:a", "${secret:${a}}", "${secret:a}${secret:"]
)
def test_what_is_no_reference_stays_text(text: str) -> None:
    assert templates.parse(text) is text


def test_a_config_in_the_stack_file_has_variables_and_secrets_side_by_side() -> None:
    text, used = expand("$$${V}-${secret:a}$${secret:a}", {"V": "${secret:e}"}, secrets=True)

    assert used
    assert isinstance(text, Template)
    assert text.names == ("a",)
    assert text.filled(_VALUES) == "$${secret:e}-A$$${secret:a}"


@given(st.lists(st.text(), min_size=3, max_size=7).filter(lambda parts: len(parts) % 2 == 1), st.text())
def test_a_template_holds_the_value_of_each_secret_between_its_texts(parts: list[str], value: str) -> None:
    template = Template.of(tuple(parts))

    assert template.filled(dict.fromkeys(template.names, value)) == value.join(parts[::2])
    assert templates.names({"x": [template]}) == frozenset(parts[1::2])
