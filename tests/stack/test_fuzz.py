from __future__ import annotations

import json
import random
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import StackError
from orchestrator.stack import load
from tests import bad
from tests.stack.test_load import WHOLE
from tests.venue.configs import CONFIGS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

KEYS = [
    "version", "name", "network", "source", "build", "channel", "env", "defaults", "connectors", "services", "bots",
    "x-a", "path", "git", "type", "features", "config", "depends_on", "health", "restart", "stop", "resources",
    "command", "package", "bin", "args", "ready", "policy", "backoff", "initial", "factor", "max", "jitter", "limit",
    "restarts", "window", "stable", "grace", "cpus", "nice", "limits", "condition", "on_restart", "attached", "cwd",
    "tcp", "exec", "log", "scheduler", "secrets", "hooks", "external", "extends", "notify", "on", "timeout", "max_age",
    "on_failed", "on_halt",
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


LARGEST = 100_000
STACKS = Path(__file__).parents[2] / "stacks"
SEEDS = [
    file for file in (*bad.FILES, *sorted(STACKS.glob("*.yaml"))) if file.is_file() and file.stat().st_size < LARGEST
]
ANYWHERE = 0.3
"""The share of files that are read as where variables are not set."""
COSTLY = {"yaml-size"}
"""Rules whose files take long to read."""


@dataclass(frozen=True)
class Language:
    """What a mutation writes: what stands between key and value, pieces of text, values."""

    between: bytes
    pieces: Sequence[str]
    values: Sequence[bytes]


YAML = Language(
    b": ",
    [*PIECES, *KEYS],
    [b"5", b"-1", b"[]", b"{}", b"~", b"true", b"5s", b"[{a: [b]}]", b"{a: {b: 1.5}}", b"''", b"${KEY}"],
)
TOML = Language(
    b" = ",
    [
        "'", '"""', "[", "]", "[[a]]", "[a.b]", "=", ".", "\\u00e9", "\\x", "#", "1e999", "0x_", "inf", "1979-05-27",
        "${secret:", "${secret:key}", "${KEY}", "$", "\x00", "\ufeff", "\r", "\n", "api_key", "secret", "order_prefix",
        "category", "é", "😀",
    ],
    [
        b"5", b"-1", b"[]", b"{}", b"true", b"inf", b"1979-05-27T07:32:00Z", b"[{a = [1]}]", b"{a = {b = 1.5}}", b"''",
        b"'${secret:key}'", b"'wss://evil.example'", b"'" + b"a" * 400 + b"'", b"9" * 5000,
    ],
)  # fmt: skip


def _without_a_line(lines: list[bytes], dice: random.Random, _: Language) -> list[bytes]:
    at = dice.randrange(len(lines))
    return lines[:at] + lines[at + 1 :]


def _with_a_line_twice(lines: list[bytes], dice: random.Random, _: Language) -> list[bytes]:
    at, to = dice.randrange(len(lines)), dice.randrange(len(lines) + 1)
    return [*lines[:to], lines[at], *lines[to:]]


def _with_values_swapped(lines: list[bytes], dice: random.Random, language: Language) -> list[bytes]:
    one, two = dice.randrange(len(lines)), dice.randrange(len(lines))
    changed = list(lines)
    (key, colon, value), (other_key, other_colon, other_value) = (
        lines[at].partition(language.between) for at in (one, two)
    )
    changed[one], changed[two] = key + colon + other_value, other_key + other_colon + value
    return changed


def _indented_otherwise(lines: list[bytes], dice: random.Random, _: Language) -> list[bytes]:
    changed = list(lines)
    at = dice.randrange(len(lines))
    changed[at] = dice.choice([b"", b" ", b"  ", b"   ", b"\t"]) + lines[at].lstrip(b" ")
    return changed


def _with_a_piece(lines: list[bytes], dice: random.Random, language: Language) -> list[bytes]:
    text = b"".join(lines)
    at, length = dice.randrange(len(text) + 1), dice.randrange(4)
    piece = dice.choice([*language.pieces, *(chr(dice.randrange(0x300)) for _ in range(9))]).encode()
    return (text[:at] + piece + text[at + length :]).splitlines(keepends=True)


def _with_bytes(lines: list[bytes], dice: random.Random, _: Language) -> list[bytes]:
    text = b"".join(lines)
    at = dice.randrange(len(text) + 1)
    return (text[:at] + dice.randbytes(dice.randrange(1, 4)) + text[at:]).splitlines(keepends=True)


def _with_a_value_of_another_kind(lines: list[bytes], dice: random.Random, language: Language) -> list[bytes]:
    changed = list(lines)
    at = dice.randrange(len(lines))
    key, between, _ = lines[at].partition(language.between)
    changed[at] = key + between + dice.choice(language.values) + b"\n"
    return changed


MUTATIONS: list[Callable[[list[bytes], random.Random, Language], list[bytes]]] = [
    _without_a_line, _with_a_line_twice, _with_values_swapped, _indented_otherwise, _with_a_piece, _with_bytes,
    _with_a_value_of_another_kind,
]  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS, ids=lambda file: f"{file.parent.name}-{file.name}")
def test_a_mutated_file_of_the_repository_is_a_stack_or_a_list_of_mistakes(seed: Path, tmp_path: Path) -> None:
    dice = random.Random(seed.name)  # noqa: S311 - a game that can be played again
    folder = tmp_path / "mutated"
    if seed.name == "stack.yaml":
        shutil.copytree(seed.parent, folder, symlinks=True)
    else:
        folder.mkdir()
    file = folder / seed.name
    lines = seed.read_bytes().splitlines(keepends=True)
    for _ in range(3 if bad.rule_of(seed) in COSTLY else 30):
        file.write_bytes(_mutant(lines, dice, YAML))
        _judge(file, anywhere=dice.random() < ANYWHERE)


def _mutant(lines: list[bytes], dice: random.Random, language: Language) -> bytes:
    mutant = lines
    for _ in range(dice.randrange(1, 4)):
        mutant = dice.choice(MUTATIONS)(mutant or [b"\n"], dice, language)
    return b"".join(mutant)


def _judge(file: Path, *, anywhere: bool) -> None:
    for mistake in bad.mistakes(file, anywhere=anywhere):
        assert mistake.line > 0
        assert mistake.column > 0
        assert mistake.hint
        assert mistake.message.isprintable()
        assert bad.SECRET not in str(mistake)


BESIDE = [
    file
    for stack in bad.FILES
    if stack.name == "stack.yaml"
    for file in sorted(stack.parent.iterdir())
    if file != stack and file.is_file() and file.stat().st_size < LARGEST
]
"""What the stack files of folders name: configs, and what they extend."""


@pytest.mark.parametrize("seed", BESIDE, ids=lambda file: f"{file.parent.name}-{file.name}")
def test_a_mutated_file_that_a_stack_names_is_one_or_a_list_of_mistakes(seed: Path, tmp_path: Path) -> None:
    dice = random.Random(str(seed.relative_to(bad.FOLDER)))  # noqa: S311 - a game that can be played again
    folder = tmp_path / "mutated"
    shutil.copytree(seed.parent, folder, symlinks=True)
    lines = seed.read_bytes().splitlines(keepends=True)
    for _ in range(30):
        (folder / seed.name).write_bytes(_mutant(lines, dice, TOML if seed.suffix == ".toml" else YAML))
        _judge(folder / "stack.yaml", anywhere=dice.random() < ANYWHERE)


@pytest.mark.parametrize(("kind", "network"), CONFIGS)
def test_a_mutated_config_of_a_venue_is_one_or_a_list_of_mistakes(kind: str, network: str, tmp_path: Path) -> None:
    dice = random.Random(f"{kind} {network}")  # noqa: S311 - likewise
    table = CONFIGS[kind, network] | {"api_key": bad.SECRET, "secret": bad.SECRET}
    lines = [f"{key} = {json.dumps(value)}\n".encode() for key, value in table.items()]
    file = tmp_path / "stack.yaml"
    file.write_text(
        f"network: {network}\nsecrets: {{key: {{env: KEY}}}}\nconnectors:\n  bf: {{type: {kind}, config: bf.toml}}\n"
    )
    for _ in range(60):
        (tmp_path / "bf.toml").write_bytes(_mutant(lines, dice, TOML))
        _judge(file, anywhere=dice.random() < ANYWHERE)
