from __future__ import annotations

import tempfile
from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import StackError
from orchestrator.stack import load
from tests.stack.test_load import WHOLE

KEYS = [
    "version", "name", "network", "source", "build", "channel", "env", "defaults", "connectors", "services", "bots",
    "x-a", "path", "git", "type", "features", "config", "depends_on", "health", "restart", "stop", "resources",
    "command", "package", "bin", "args", "ready", "policy", "backoff", "initial", "factor", "max", "jitter", "limit",
    "restarts", "window", "stable", "grace", "cpus", "nice", "limits", "condition", "on_restart", "attached", "cwd",
    "tcp", "exec", "log", "scheduler", "secrets", "hooks",
]  # fmt: skip
PIECES = [
    "&a ", "*a", "<<: *a", "!!x ", "${", "${KEY}", "$", "\t", "\n", "---\n", "{", "}", "[", "]", ": ", "- ", '"', "'",
    "0644", "~", "no", "1e999", "\\0", "\x00", "\ufeff", "\u2028", "|", ">", "#", "%", "@", "`", "é", "😀",
]  # fmt: skip
SECRET = "k3y-of-the-account"
LINES = WHOLE.splitlines(keepends=True)


def check(content: bytes) -> None:
    """Load the content: it is a stack, or a list of mistakes that each say where and what, and show no secret."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "prod.yaml"
        file.write_bytes(content)
        try:
            stack = load(file, {"KEY": SECRET})
        except StackError as error:
            mistakes = error.diagnostics
        else:
            assert set(stack.order()) == {name for _, name, _ in stack.units()}
            return
    assert mistakes
    for mistake in mistakes:
        assert mistake.line > 0
        assert mistake.column > 0
        assert mistake.rule.replace("-", "").isalpha()
        assert SECRET not in str(mistake)
        assert mistake.message.isprintable()


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
        st.dictionaries(st.one_of(st.sampled_from(KEYS), st.sampled_from(["a", "b"])), inner, max_size=4),
    ),
    max_leaves=25,
)


@settings(deadline=None, max_examples=300)
@given(mutated())
def test_a_mutated_file_is_a_stack_or_a_list_of_mistakes(content: bytes) -> None:
    check(content)


@settings(deadline=None, max_examples=300)
@given(
    st.fixed_dictionaries(
        {"network": st.just("testnet")},
        optional=dict.fromkeys(("connectors", "services", "bots", "defaults", "env"), VALUES),
    )
)
def test_any_data_is_a_stack_or_a_list_of_mistakes(data: dict[str, object]) -> None:
    check(yaml.safe_dump(data).encode())


@settings(deadline=None, max_examples=200)
@given(
    st.dictionaries(
        st.sampled_from(["a", "b"]),
        st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6),
        min_size=1,
    ),
    st.sampled_from(["connectors", "services", "bots"]),
)
def test_any_unit_is_a_unit_or_a_list_of_mistakes(units: dict[str, object], section: str) -> None:
    check(yaml.safe_dump({"network": "testnet", section: units}).encode())


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_stack_or_a_list_of_mistakes(content: bytes) -> None:
    check(content)
