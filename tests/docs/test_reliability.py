"""The page of promises: each is held by a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).resolve().parents[2]
_PAGE = (_REPOSITORY / "docs/reliability.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| (?!promise \||-)(.+?) \| (.+) \|$", re.MULTILINE)
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(?:(Test\w+)::)?(test_\w+)`")


@pytest.mark.parametrize(("promise", "held"), _ROW.findall(_PAGE.replace("|---|---|", "")))
def test_each_promise_names_a_test_that_exists(promise: str, held: str) -> None:
    named = _TEST.fullmatch(held)
    assert named is not None, f"{promise}: {held} is no test"
    file, suite, test = named.groups()
    body = ast.parse((_REPOSITORY / file).read_text(encoding="utf-8")).body
    if suite is not None:
        body = next(node.body for node in body if isinstance(node, ast.ClassDef) and node.name == suite)
    assert test in {node.name for node in body if isinstance(node, ast.FunctionDef)}


def test_the_page_lists_promises() -> None:
    assert len(_ROW.findall(_PAGE)) > 20
