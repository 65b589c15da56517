from __future__ import annotations

import contextlib
import gc
import math

import pytest

from orchestrator.errors import StackError
from orchestrator.stack.loader import parse

BOMB = "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}' if i else 'x'] * 10)}]" for i in range(10))
MERGE_BOMB = "\n".join(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}' if i else '{x: 1}'] * 10)}]}}" for i in range(12))
CHAIN = "\n".join(f"a{i}: &a{i} [{f'*a{i - 1}' if i else 'x'}]" for i in range(3000))
MERGE_CHAIN = [f"a{i}: &a{i} {{<<: {f'*a{i - 1}' if i else '{x: 1}'}}}" for i in range(3000)]


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("no", "no"), ("on", "on"), ("y", "y"), ("12:30", "12:30"), ("2024-01-01", "2024-01-01"), ("1_000", "1_000"),
        ("=", "="), ("true", True), ("False", False), ("~", None), ("", None), ("null", None), ("0o14", 12),
        ("0x1F", 31), ("+5", 5), ("-7", -7), ("0", 0), (".5", 0.5), ("1.", 1.0), ("1e3", 1000.0), (".inf", math.inf),
        ("-.INF", -math.inf), ('"5"', "5"), ("'no'", "no"), ("9223372036854775807", 2**63 - 1), ('"<<"', "<<"),
    ],
)  # fmt: skip
def test_scalars_follow_the_core_schema_of_yaml_1_2(scalar: str, value: object) -> None:
    data = parse("f", f"a: {scalar}").data

    assert data == {"a": value}
    assert isinstance(data, dict)
    assert type(data["a"]) is type(value)


def test_every_value_and_key_knows_its_place() -> None:
    document = parse("f", "a: 1\nb:\n  ü: [x, {y/z: 2}]\n")

    assert document.values == {
        "": (1, 1), "/a": (1, 4), "/b": (3, 3), "/b/ü": (3, 6), "/b/ü/0": (3, 7), "/b/ü/1": (3, 10),
        "/b/ü/1/y~1z": (3, 16),
    }  # fmt: skip
    assert document.keys == {"/a": (1, 1), "/b": (2, 1), "/b/ü": (3, 3), "/b/ü/1/y~1z": (3, 11)}


def test_merged_keys_are_weaker_than_own_ones_and_stand_at_their_anchor() -> None:
    document = parse("f", "a: &a {x: 1, y: 2}\nb: &b {y: 5, z: 6}\nc: {y: 3, <<: *a}\nd: {<<: [*a, *b]}\n")

    assert document.data == {
        "a": {"x": 1, "y": 2},
        "b": {"y": 5, "z": 6},
        "c": {"x": 1, "y": 3},
        "d": {"x": 1, "y": 2, "z": 6},
    }
    assert document.values["/c/x"] == (1, 11)
    assert document.values["/c/y"] == (3, 8)
    assert not document.mistakes


@pytest.mark.parametrize(
    ("text", "place", "rule"),
    [
        ("a: 0644", (1, 4), "leading-zero"),
        ("a: -007", (1, 4), "leading-zero"),
        ("a: 1\nb: 2\na: 3", (3, 1), "duplicate-key"),
        ("x:\n  a: 1\n  a: 1", (3, 3), "duplicate-key"),
        ("{<<: {a: 1}, <<: {b: 1}}", (1, 14), "duplicate-key"),
        ("true: 1", (1, 1), "key-not-text"),
        ("1: 1", (1, 1), "key-not-text"),
        ("? {a: b}\n: 1", (1, 3), "key-not-text"),
        ("a: &a [*a]", (1, 4), "yaml-alias"),
        ("a: &a {<<: *a}", (1, 8), "yaml-merge"),
        ("a: {<<: 5}", (1, 5), "yaml-merge"),
        ("a: !!python/object:os.system x", (1, 4), "yaml-tag"),
        ("a: !env x", (1, 4), "yaml-tag"),
        ("a: !!int 5", (1, 4), "yaml-tag"),
        ("a: !!set {x}", (1, 4), "yaml-tag"),
        ("a: 9223372036854775808", (1, 4), "number-range"),
        ("a: 0x8000000000000000", (1, 4), "number-range"),
        ("a: " + "9" * 10_000, (1, 4), "number-range"),
        ("a: 1e999", (1, 4), "number-range"),
        ('a: "x\\0y"', (1, 4), "control-character"),
    ],
)
def test_a_mistake_of_the_text_is_found_and_the_rest_still_read(text: str, place: tuple[int, int], rule: str) -> None:
    document = parse("f", text)

    assert [((m.line, m.column), m.rule) for m in document.mistakes] == [(place, rule)]


@pytest.mark.parametrize(
    ("text", "place", "rule"),
    [
        ("", (1, 1), "empty-file"),
        ("# only a comment\n", (1, 1), "empty-file"),
        ("[ " * 100_000, (1, 127), "yaml-depth"),
        ("{a: " * 100_000, (1, 253), "yaml-depth"),
        ("- " * 100_000, (1, 127), "yaml-depth"),
        (BOMB, (1, 34), "yaml-size"),
        (MERGE_BOMB, (1, 23), "yaml-size"),
        (CHAIN, (1, 10), "yaml-depth"),
        ("[" + "1," * 300_000 + "]", (1, 1), "yaml-size"),
        ("a: *b", (1, 4), "yaml-alias"),
        ("a: &x 1\nb: &x 2", (2, 4), "yaml-anchor"),
        ("a:\n\tb: 1", (2, 1), "yaml-tab"),
        ("a:\n  b: 1\n \tc: 2", (3, 2), "yaml-tab"),
        ("a: 1\n---\nb: 2", (2, 1), "yaml-documents"),
        ("a: 1\n...\nb: 2", (3, 1), "yaml-documents"),
        ("a: 1\nb: \x01", (2, 4), "control-character"),
        ("a: \x7f", (1, 4), "control-character"),
        ("a: b: c", (1, 5), "yaml-syntax"),
        ("a: @x", (1, 4), "yaml-syntax"),
        ("a: [1, 2", (1, 4), "yaml-syntax"),
    ],
)
def test_a_text_that_is_no_document_is_refused_with_the_place(text: str, place: tuple[int, int], rule: str) -> None:
    with pytest.raises(StackError) as caught:
        parse("f", text)

    assert [((m.line, m.column), m.rule) for m in caught.value.diagnostics] == [(place, rule)]


def test_brackets_beyond_the_bound_of_libyaml_itself_are_nested_too_deeply() -> None:
    with pytest.raises(StackError) as caught:
        parse("f", "[" * 100_000)

    assert [mistake.rule for mistake in caught.value.diagnostics] == ["yaml-depth"]


@pytest.mark.parametrize("links", [200, 3000])
def test_a_long_chain_of_merges_ends_in_an_error(links: int) -> None:
    with pytest.raises(StackError) as caught:
        parse("f", "\n".join(MERGE_CHAIN[:links]))

    assert caught.value.diagnostics[0].rule == "yaml-depth"


def test_the_duplicate_key_names_the_place_of_the_first() -> None:
    (mistake,) = parse("f", "bots:\n  a: 1\n  a: 2").mistakes

    assert str(mistake).startswith('f:3:3: /bots/a: the key "a" stands twice, first at 2:3')


def test_an_octal_number_says_how_to_write_it() -> None:
    (mistake,) = parse("f", "mode: 0644").mistakes

    assert mistake.hint == 'write 644, or "0644" if it is text; octal is 0o644'


@pytest.mark.parametrize("text", ["a: 1", "a: [", "[" * 100])
def test_the_garbage_collector_is_left_as_it_was(text: str) -> None:
    for before in (True, False):
        (gc.enable if before else gc.disable)()
        with contextlib.suppress(StackError):
            parse("f", text)
        after = gc.isenabled()
        gc.enable()
        assert after is before
