from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.errors import StackError
from orchestrator.stack import reading, ruleset, schema
from tests import bad

ROOT = Path(__file__).parents[2]
FILE = ROOT / "schemas" / "stack.schema.json"
STACKS = sorted((ROOT / "stacks").glob("*.yaml"))

BEYOND_A_SCHEMA = {
    "address-2", "backoff-range", "backoff-range-2", "bot-config", "bot-connector", "bot-connector-2", "command-2",
    "condition-kind", "config-file-directory", "config-file-missing", "config-file-not-regular", "config-file-size",
    "config-file-unreadable", "config-null", "config-toml", "dependency-cycle", "dependency-kind", "directory-missing",
    "duplicate-dependency", "duplicate-name", "duration-range", "empty-stack", "env-reserved",
    "interpolation-forbidden-2", "interpolation-forbidden-3", "interpolation-syntax", "interpolation-syntax-2",
    "interpolation-syntax-3", "log-pattern", "logs-keep", "missing-key-3", "package-missing", "path", "program-missing",
    "program-twice", "quiet-2", "secret-place", "secret-unknown", "secret-unknown-2", "secret-unused",
    "self-dependency",
    "sim-features", "size-range", "source-git", "source-git-2", "stale-interval", "unknown-unit", "variable-encoding",
    "variable-unset", "variable-unset-2", "window-3", "window-age",
}  # fmt: skip
"""Bad files whose mistake a schema cannot see: it lies in other files, between keys, or within a text."""


def test_the_schema_in_the_repository_is_current() -> None:
    assert FILE.read_text() == schema.render(), "run: python -m orchestrator.stack.schema > schemas/stack.schema.json"


def test_the_schema_keeps_to_what_editors_understand() -> None:
    text = schema.render()

    assert json.loads(text)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "prefixItems" not in text
    assert '"null"' not in text


def test_defaults_are_shown_as_they_are_written() -> None:
    health = json.loads(schema.render())["$defs"]["Health"]["properties"]

    durations = {key: value.get("default") for key, value in health.items()}
    assert durations == {
        "startup": "10s",
        "interval": "100ms",
        "stale_after": "30s",
        "first_message": None,
        "min_rate": 0.0,
        "on_stale": "restart",
        "quiet": [],
    }


def refused(files: list[Path]) -> set[Path]:
    """Return those files that check-jsonschema refuses by the schema in the repository."""
    program = [sys.executable, "-m", "check_jsonschema", "--output-format", "json", "--schemafile", str(FILE)]
    result = subprocess.run([*program, *map(str, files)], capture_output=True, text=True, check=False)
    report = json.loads(result.stdout)
    assert not report.get("parse_errors")
    return {Path(error["filename"]) for error in report.get("errors", [])}


def is_yaml(file: Path) -> bool:
    """Tell whether nothing is wrong with the text of a stack file: what is, is not a schema's business."""
    try:
        return not reading.document_at(file).mistakes
    except StackError:
        return False


def test_an_independent_checker_accepts_the_examples_by_the_schema() -> None:
    assert STACKS
    assert refused(STACKS) == set()


def test_an_independent_checker_refuses_every_mistake_that_a_schema_can_see() -> None:
    files = [file for file in bad.FILES if bad.rule_of(file) in ruleset.RULES and is_yaml(file)]

    accepted = set(files) - refused(files)

    assert {bad.name_of(file).removesuffix("/stack.yaml").removesuffix(".yaml") for file in accepted} == BEYOND_A_SCHEMA


def test_a_file_that_extends_another_needs_not_repeat_what_is_required(tmp_path: Path) -> None:
    whole, overlay = tmp_path / "whole.yaml", tmp_path / "overlay.yaml"
    text = "connectors: {bf: {stop: {grace: 1s}}}\nnotify: {timeout: 1s}\n"
    whole.write_text(text)
    overlay.write_text(f"extends: base.yaml\n{text}")

    assert refused([whole, overlay]) == {whole}


@pytest.mark.parametrize("stack", STACKS, ids=lambda file: file.name)
def test_the_first_line_of_an_example_leads_an_editor_to_the_schema(stack: Path) -> None:
    match = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", stack.read_text().splitlines()[0])

    assert match is not None
    assert (stack.parent / match[1]).resolve() == FILE
