from __future__ import annotations

import datetime as dt
import tomllib

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.stack import pointer as json_pointer
from orchestrator.stack import toml_places

TEXT = '''\
# a comment = [1
title = "x = 1" # another
"quoted key".'lit' = 'its'
multi = """
a = 1
\\"""""
raw = \'\'\'
[not.a.table]\'\'\'
when = 1979-05-27 07:32:00
list = [ 1, # one
  [2, 3],
  {a = 1, b.c = "}"},
]

[table.inner]
key = true
[[table.many]]
name = "first"
[[table.many]]
name = "second"
[table.many.below]
deep = 1.5
'''


@pytest.mark.parametrize(
    ("pointer", "place", "key"),
    [
        ("/title", (2, 9), (2, 1)),
        ("/quoted key/lit", (3, 22), (3, 14)),
        ("/quoted key", None, (3, 1)),
        ("/multi", (4, 9), (4, 1)),
        ("/raw", (7, 7), (7, 1)),
        ("/when", (9, 8), (9, 1)),
        ("/list/0", (10, 10), None),
        ("/list/1/1", (11, 7), None),
        ("/list/2/b/c", (12, 17), (12, 13)),
        ("/table/inner", (15, 1), (15, 8)),
        ("/table/inner/key", (16, 7), (16, 1)),
        ("/table/many/0/name", (18, 8), (18, 1)),
        ("/table/many/1/name", (20, 8), (20, 1)),
        ("/table/many/1/below/deep", (22, 8), (22, 1)),
    ],
)
def test_keys_and_values_are_found_where_they_stand(
    pointer: str, place: tuple[int, int] | None, key: tuple[int, int] | None
) -> None:
    tomllib.loads(TEXT)
    places = toml_places.scan(TEXT)

    assert (places.values.get(pointer), places.keys.get(pointer)) == (place, key)


def test_what_stands_nowhere_has_the_place_of_what_is_around_it() -> None:
    places = toml_places.scan(TEXT)

    assert places.near("/table/inner/none", on_key=True) == (15, 8)
    assert places.near("/table/inner/key", on_key=True) == (16, 1)
    assert places.near("", on_key=False) == (1, 1)


VALUES = st.recursive(
    st.one_of(
        st.text(),
        st.integers(-(2**63), 2**63 - 1),
        st.booleans(),
        st.floats(allow_nan=False),
        st.dates(min_value=dt.date(1000, 1, 1)),
        st.datetimes(min_value=dt.datetime(1000, 1, 1)),  # noqa: DTZ001 - TOML has local ones
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=12,
)


def _leaves(value: object, pointer: str = "") -> dict[str, object]:
    if isinstance(value, dict):
        children = [(json_pointer.child(pointer, key), item) for key, item in value.items()]
    elif isinstance(value, list):
        children = [(json_pointer.child(pointer, index), item) for index, item in enumerate(value)]
    else:
        return {pointer: value}
    return {leaf: item for child, inner in children for leaf, item in _leaves(inner, child).items()}


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.text(), VALUES, max_size=4), st.booleans())
def test_at_the_place_of_every_value_stands_that_value(table: dict[str, object], multiline: bool) -> None:  # noqa: FBT001 - drawn
    text = tomli_w.dumps(table, multiline_strings=multiline)
    parsed = tomllib.loads(text)
    lines = text.split("\n")

    places = toml_places.scan(text)

    for pointer, value in _leaves(parsed).items():
        line, column = places.values[pointer]
        rest = "\n".join([lines[line - 1][column - 1 :], *lines[line:]])
        assert rest.startswith(_beginnings(value)), pointer


def _beginnings(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return ('"', "'")
    if isinstance(value, bool):
        return (str(value).lower(),)
    if isinstance(value, dt.date):
        return (value.isoformat()[:10],)
    return (str(value)[:3], str(value).replace("e", ".0e")[:3], repr(value)[:3])


@settings(deadline=None, max_examples=300)
@given(st.text(st.sampled_from("a=[]{}\"'.,#\n \\1")))
def test_a_text_that_is_no_toml_ends_the_scan_without_an_error(text: str) -> None:
    assert toml_places.scan(text).near("/a", on_key=True) >= (1, 1)


def test_brackets_that_nest_deeply_end_the_scan_without_an_error() -> None:
    assert toml_places.scan("a = " + "[" * 100_000).near("/a", on_key=True) == (1, 1)
