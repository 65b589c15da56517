"""Bad stack files: tests/fixtures/bad holds at least one for each rule, and is named for the rule that it breaks.

RULE.yaml, RULE-2.yaml, or a folder RULE with stack.yaml in it where more files are needed.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Final

import orchestrator
from orchestrator import venue
from orchestrator.errors import Diagnostic, StackError

FOLDER: Final = Path(__file__).parent / "fixtures" / "bad"
SECRET: Final = "k3y-of-the-account"
ENVIRON: Final = {"KEY": SECRET, "NOT_UTF8": "caf\udce9"}
"""The variables that bad files may use: a key, and bytes that are no text."""


def rules() -> frozenset[str]:
    """Return the identifiers of all rules: every room's `ruleset` lists its own."""
    rooms = sorted(Path(orchestrator.__file__).parent.glob("*/ruleset.py"))
    tables = [import_module(f"orchestrator.{file.parent.name}.ruleset").RULES for file in rooms]
    return frozenset(rule for table in tables for rule in table)


def rule_of(file: Path) -> str:
    """Return the rule that a bad file breaks."""
    name = file.parent.name if file.name == "stack.yaml" else file.name.removesuffix(".yaml")
    return re.sub(r"-[0-9]+$", "", name)


def name_of(file: Path) -> str:
    """Return the file's name within the folder of bad files."""
    return str(file.relative_to(FOLDER))


FILES: Final = sorted([*FOLDER.glob("*.yaml"), *FOLDER.glob("*/stack.yaml")])


def mistakes(file: Path, *, anywhere: bool = False) -> tuple[Diagnostic, ...]:
    """Return what is wrong with a stack file, warnings too; nothing when it is valid."""
    try:
        stack = (venue.load_anywhere if anywhere else venue.load)(file, ENVIRON)
    except StackError as error:
        return error.diagnostics
    return stack.warnings
