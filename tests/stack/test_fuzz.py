from __future__ import annotations

import tempfile
from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import StackError
from orchestrator.stack import load
from orchestrator.stack.model import Stack
from tests.stack.test_load import WHOLE

KEYS = sorted(
    {
        *("version name network source build channel env defaults connectors services bots x-a path git".split()),
        *("type features config depends_on health restart stop resources command package bin args ready".split()),
        *("policy backoff initial factor max jitter limit restarts window stable grace cpus nice limits".split()),
        *("condition on_restart attached cwd tcp exec log scheduler secrets hooks <<".split()),
    }
)
PIECES = ["&a ", "*a", "<<: *a", "!!x ", "${", "${KEY}", "$", "\t", "\n", "---\n", "{", "}", "[", "]", ": ", "- ", '"', "'", "0644", "~",
          "no", "1e999", "\\0", "\x00", "\ufeff", "\u2028", "|", ">", "#", "%", "@", "`", "é", "😀"]  # fmt: skip
LINES = WHOLE.splitlines(keepends=True)


def outcome(content: bytes) -> Stack | StackError:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "prod.yaml"
        file.write_bytes(content)
        try:
            return load(file, {"KEY": "k"})
        except StackError as error:
            assert error.diagnostics
            assert all(m.line > 0 and m.column > 0 and m.rule and m.message for m in error.diagnostics)
            assert str(error).isprintable() or "\n" in str(error)
            return error


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    text = WHOLE
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        length = draw(st.integers(0, 30))
        piece = draw(
            st.one_of(st.sampled_from(PIECES), st.sampled_from(KEYS), st.sampled_from(LINES), st.text(max_size=5))
        )
        text = text[:at] + piece + text[at + length :]
    return text.encode("utf-8", "replace")


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(["5s", "no", "sim", "fifo:1", "${KEY}", "a", "b", "testnet", ".", "never", "ready", ""]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(KEYS), st.sampled_from("ab")), inner, max_size=4),
    ),
    max_leaves=25,
)


@settings(deadline=None, max_examples=300)
@given(mutated())
def test_a_mutated_file_is_a_stack_or_a_list_of_mistakes(content: bytes) -> None:
    assert isinstance(outcome(content), Stack | StackError)


@settings(deadline=None, max_examples=300)
@given(
    st.fixed_dictionaries(
        {"network": st.just("testnet")},
        optional={key: VALUES for key in ("connectors", "services", "bots", "defaults", "env")},
    )
)
def test_any_data_is_a_stack_or_a_list_of_mistakes(data: dict[str, object]) -> None:
    assert isinstance(outcome(yaml.safe_dump(data).encode()), Stack | StackError)


@settings(deadline=None, max_examples=200)
@given(
    st.dictionaries(
        st.sampled_from("ab"),
        st.dictionaries(st.sampled_from([key for key in KEYS if key != "<<"]), VALUES, max_size=6),
        min_size=1,
    ),
    st.sampled_from(["connectors", "services", "bots"]),
)
def test_any_unit_is_a_unit_or_a_list_of_mistakes(units: dict[str, object], section: str) -> None:
    assert isinstance(outcome(yaml.safe_dump({"network": "testnet", section: units}).encode()), Stack | StackError)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_stack_or_a_list_of_mistakes(content: bytes) -> None:
    assert isinstance(outcome(content), StackError)
