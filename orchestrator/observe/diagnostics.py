"""What was found in a stack file, in the formats that reviews read: JSON, SARIF 2.1.0, GitHub's annotations. Pure."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestrator.errors import Diagnostic

_SARIF: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def is_valid(found: Iterable[Diagnostic]) -> bool:
    """Tell whether nothing of what was found is an error."""
    return not any(diagnostic.severity == "error" and diagnostic.ignored is None for diagnostic in found)


def as_json(files: Sequence[str], found: Sequence[Diagnostic]) -> dict[str, object]:
    """Return {"files", "valid", "diagnostics": [{"file", "line", "column", "pointer", "severity", "rule", ..}]}.

    Each diagnostic also has "message", "hint" and "ignored", the latter two null where there is none; lines and columns
    count from 1, columns in characters. This is a promise to scripts.
    """
    return {
        "files": list(files),
        "valid": is_valid(found),
        "diagnostics": [
            {
                "file": diagnostic.file,
                "line": diagnostic.line,
                "column": diagnostic.column,
                "pointer": diagnostic.pointer,
                "severity": diagnostic.severity,
                "rule": diagnostic.rule,
                "message": diagnostic.message,
                "hint": diagnostic.hint,
                "ignored": diagnostic.ignored,
            }
            for diagnostic in found
        ],
    }


def as_sarif(found: Sequence[Diagnostic], *, version: str, titles: Mapping[str, str]) -> dict[str, object]:
    """Return a SARIF 2.1.0 log (OASIS). `version` is hftstack's, `titles` say in a sentence what each rule means."""
    rules = sorted({diagnostic.rule for diagnostic in found})
    driver = {
        "name": "hftstack",
        "version": version,
        "rules": [{"id": rule, "shortDescription": {"text": titles.get(rule, rule)}} for rule in rules],
    }
    return {
        "$schema": _SARIF,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "results": [_result(diagnostic, rules.index(diagnostic.rule)) for diagnostic in found],
            }
        ],
    }


def _result(diagnostic: Diagnostic, index: int) -> dict[str, object]:
    location: dict[str, object] = {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(diagnostic.file)},
            "region": {"startLine": diagnostic.line, "startColumn": diagnostic.column},
        }
    }
    if diagnostic.pointer:
        location["logicalLocations"] = [{"fullyQualifiedName": diagnostic.pointer}]
    result: dict[str, object] = {
        "ruleId": diagnostic.rule,
        "ruleIndex": index,
        "level": diagnostic.severity,
        "message": {"text": _text(diagnostic)},
        "locations": [location],
    }
    if diagnostic.ignored is not None:
        result["suppressions"] = [{"kind": "inSource", "justification": diagnostic.ignored}]
    return result


def _text(diagnostic: Diagnostic) -> str:
    return diagnostic.message if diagnostic.hint is None else f"{diagnostic.message}\n{diagnostic.hint}"


def _uri(file: str) -> str:
    path = PurePath(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())


def as_github(found: Iterable[Diagnostic]) -> str:
    """Return GitHub Actions' workflow commands, one a line: annotations of a pull request. Ignored ones are notices."""
    return "".join(f"{_annotation(diagnostic)}\n" for diagnostic in found)


def _annotation(diagnostic: Diagnostic) -> str:
    command = diagnostic.severity if diagnostic.ignored is None else "notice"
    text = _text(diagnostic) if diagnostic.ignored is None else f"{diagnostic.message}\nignored: {diagnostic.ignored}"
    place = f"file={_property(diagnostic.file)},line={diagnostic.line},col={diagnostic.column}"
    return f"::{command} {place},title={_property(diagnostic.rule)}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
