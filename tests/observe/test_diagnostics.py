from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as SarifLog

from orchestrator.errors import Diagnostic
from orchestrator.observe import diagnostics
from orchestrator.venue import ruleset

ERROR = Diagnostic("stacks/a b.yaml", 14, 19, "/connectors/bf/config/api_url", "is 100% mainnet", "use x", "url")
WARNING = Diagnostic("/srv/s,1:2.yaml", 3, 1, "", "two\nlines", None, "shared-core", "warning")
IGNORED = Diagnostic("s.yaml", 5, 7, "/bots/mm", "shares a core", "h", "shared-core", "warning", "it may wait")


def sarif(*found: Diagnostic) -> dict[str, object]:
    return diagnostics.as_sarif(found, version="1.2", titles={"url": "A URL."})


def test_a_sarif_log_is_valid_against_the_schema_of_its_standard() -> None:
    SarifLog.model_validate(json.loads(json.dumps(sarif(ERROR, WARNING, IGNORED))))
    SarifLog.model_validate(sarif())


def test_the_standard_s_schema_would_refuse_what_is_wrong() -> None:
    log = json.loads(json.dumps(sarif(ERROR)))
    log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0

    with pytest.raises(ValidationError):
        SarifLog.model_validate(log)


def test_a_sarif_result_says_where_which_rule_and_how_bad() -> None:
    run = json.loads(json.dumps(sarif(ERROR, WARNING, IGNORED)))["runs"][0]

    error, warning, ignored = run["results"]
    physical = error["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"]["uri"] == "stacks/a%20b.yaml"
    assert physical["region"] == {"startLine": 14, "startColumn": 19}
    assert error["locations"][0]["logicalLocations"] == [{"fullyQualifiedName": "/connectors/bf/config/api_url"}]
    assert error["message"]["text"] == "is 100% mainnet\nuse x"
    assert (error["level"], warning["level"]) == ("error", "warning")
    rules = run["tool"]["driver"]["rules"]
    assert [rules[result["ruleIndex"]]["id"] for result in run["results"]] == ["url", "shared-core", "shared-core"]
    assert rules[error["ruleIndex"]]["shortDescription"]["text"] == "A URL."
    assert "suppressions" not in warning
    assert ignored["suppressions"] == [{"kind": "inSource", "justification": "it may wait"}]
    assert warning["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "file:///srv/s%2C1%3A2.yaml"


def test_json_tells_everything_and_whether_it_is_valid() -> None:
    found = diagnostics.as_json(["s.yaml"], [ERROR, IGNORED])

    assert (found["files"], found["valid"]) == (["s.yaml"], False)
    rows = json.loads(json.dumps(found["diagnostics"]))
    assert rows[0] == {
        "file": "stacks/a b.yaml",
        "line": 14,
        "column": 19,
        "pointer": "/connectors/bf/config/api_url",
        "severity": "error",
        "rule": "url",
        "message": "is 100% mainnet",
        "hint": "use x",
        "ignored": None,
    }
    assert rows[1]["ignored"] == "it may wait"


def test_warnings_and_what_is_ignored_leave_a_stack_valid() -> None:
    assert diagnostics.as_json(["s.yaml"], [WARNING, IGNORED])["valid"] is True


def test_github_s_annotations_are_one_line_each_whatever_they_say() -> None:
    assert diagnostics.as_github([ERROR, WARNING, IGNORED]).splitlines() == [
        "::error file=stacks/a b.yaml,line=14,col=19,title=url::is 100%25 mainnet%0Ause x",
        "::warning file=/srv/s%2C1%3A2.yaml,line=3,col=1,title=shared-core::two%0Alines",
        "::notice file=s.yaml,line=5,col=7,title=shared-core::shares a core%0Aignored: it may wait",
    ]
    assert diagnostics.as_github([]) == ""


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@settings(deadline=None, max_examples=100)
@given(TEXT, TEXT, TEXT, st.one_of(st.none(), TEXT))
def test_no_text_breaks_a_format(file: str, pointer: str, message: str, hint: str | None) -> None:
    found = Diagnostic(file.replace("\0", "_"), 1, 1, pointer, message, hint, "url")

    SarifLog.model_validate(json.loads(json.dumps(sarif(found))))
    assert diagnostics.as_github([found]).count("\n") == 1
    assert json.loads(json.dumps(diagnostics.as_json([found.file], [found])))["valid"] is False


def test_every_rule_has_a_sentence_for_a_log() -> None:
    assert all(title.endswith(".") and title[0].isupper() for title in ruleset.titles().values())
    assert len(ruleset.titles()) > len(ruleset.RULES)
