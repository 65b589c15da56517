"""What a review reads: warnings, formats, several files; and that no verb goes past a wrong network."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as SarifLog

from tests import bad

if TYPE_CHECKING:
    from tests.integration.harness import Machine

_WARNED = (
    "network: local\nconnectors:\n  a: {type: sim, resources: {cpus: [0]}}\n"
    "bots:\n  b: {type: sim, depends_on: [a], resources: {cpus: [0]}%s}\n"
)
_WARNING = (
    "s.yaml:5:54: warning: /bots/b/resources/cpus/0: core 0 is that of a too: each waits while the other runs\n"
    "    give each a core of its own    [shared-core]\n"
)
_MAINNET = (
    "network: testnet\nallow_hosts: [fapi.binance.com]\nconnectors:\n  bf:\n    type: binancefutures\n    config:\n"
    "      stream_url: wss://fstream.binancefuture.com/ws\n      api_url: https://fapi.binance.com\n"
)


def test_a_warning_goes_to_stderr_and_leaves_the_stack_valid(machine: Machine) -> None:
    machine.file.write_text(_WARNED % "")
    done = machine.hftstack("validate", "s.yaml")

    assert (done.code, done.out, done.err) == (0, "s.yaml: s is valid: local, 1 connector, 1 bot\n", _WARNING)


def test_up_tells_the_warning_and_goes_on(machine: Machine) -> None:
    machine.file.write_text(_WARNED % "")
    done = machine.hftstack("up", "s.yaml")

    assert (done.code, done.err) == (0, _WARNING)
    machine.down()


def test_an_ignored_rule_is_silent_and_the_formats_tell_its_reason(machine: Machine) -> None:
    machine.file.write_text(_WARNED % ", ignore: {shared-core: it may wait}")

    assert machine.hftstack("validate", "s.yaml").err == ""
    done = machine.hftstack("validate", "s.yaml", "--format", "json")
    assert [row["ignored"] for row in json.loads(done.out)["diagnostics"]] == ["it may wait"]
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize("verb", ["validate", "build", "up"])
def test_no_verb_takes_a_mainnet_url_without_network_mainnet(machine: Machine, verb: str) -> None:
    machine.file.write_text(_MAINNET)
    done = machine.hftstack(verb, "s.yaml")

    assert done.code == 3
    assert "s.yaml:8:16: /connectors/bf/config/api_url: https://fapi.binance.com is mainnet, the stack says" in done.err
    assert "[network-mismatch]" in done.err
    assert machine.processes() == {}


@pytest.mark.parametrize("form", ["json", "sarif", "github"])
def test_a_format_goes_to_stdout_and_the_exit_code_stays(machine: Machine, form: str) -> None:
    machine.file.write_text(_MAINNET)
    done = machine.hftstack("validate", "s.yaml", "--format", form)

    assert (done.code, done.err) == (3, "")
    if form == "json":
        found = json.loads(done.out)
        assert (found["files"], found["valid"]) == (["s.yaml"], False)
        assert {row["rule"] for row in found["diagnostics"]} == {"network-mismatch", "allow-hosts-unused"}
    elif form == "sarif":
        SarifLog.model_validate_json(done.out)
        assert '"network-mismatch"' in done.out
    else:
        assert done.out.startswith("::warning file=s.yaml,line=2,col=15,title=allow-hosts-unused::")
        assert "::error file=s.yaml,line=8,col=16,title=network-mismatch::" in done.out


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github"])
def test_several_files_are_checked_together(machine: Machine, form: str) -> None:
    machine.file.write_text(_MAINNET)
    sound, twice = machine.folder / "sound.yaml", machine.folder / "twice.yaml"
    sound.write_text("network: local\nconnectors: {a: {type: sim}}\n")
    twice.write_text("network: moon\n")
    done = machine.hftstack("validate", "s.yaml", "sound.yaml", "twice.yaml", "s.yaml", "--format", form)

    assert done.code == 3
    assert (done.out + done.err).count("https://fapi.binance.com is mainnet") == 1
    assert "moon" in done.out + done.err
    if form == "text":
        assert done.out == "sound.yaml: sound is valid: local, 1 connector\n"
        assert done.err.endswith("3 errors, 1 warning.\n")


@pytest.mark.parametrize("form", ["json", "sarif", "github"])
def test_a_valid_stack_is_an_empty_report(machine: Machine, form: str) -> None:
    machine.file.write_text("network: local\nconnectors: {a: {type: sim}}\n")
    done = machine.hftstack("validate", "s.yaml", "--format", form)

    assert (done.code, done.err) == (0, "")
    if form == "json":
        assert json.loads(done.out) == {"files": ["s.yaml"], "valid": True, "diagnostics": []}


@pytest.mark.parametrize("form", ["json", "sarif", "github"])
def test_no_bad_file_breaks_a_format_or_shows_a_secret_in_it(machine: Machine, form: str) -> None:
    done = machine.hftstack("validate", *map(str, bad.FILES), "--format", form, env={"KEY": bad.SECRET})

    assert (done.code, done.err) == (3, "")
    assert bad.SECRET not in done.out
    if form == "sarif":
        SarifLog.model_validate_json(done.out)
        found = {result["ruleId"] for result in json.loads(done.out)["runs"][0]["results"]}
        assert bad.rules() - found <= {"variable-encoding"}


_VARIABLES = (
    "network: testnet\nconnectors:\n  bf:\n    type: binancefutures\n    config:\n"
    "      stream_url: wss://fstream.binancefuture.com/ws\n      api_url: https://testnet.binancefuture.com\n"
    '      order_prefix: "${PREFIX}"\n      api_key: "${KEY}"\n      secret: "${SECRET:?ask Ann}"\n'
    'bots:\n  mm: {command: ["${BOT}"], cwd: "${DIR}", depends_on: [bf], stop: {grace: "${GRACE:-1s}"}}\n'
)


def test_anywhere_variables_need_not_be_set_and_all_else_is_judged(machine: Machine) -> None:
    machine.file.write_text(_VARIABLES)
    unset = machine.hftstack("validate", "s.yaml")
    assert (unset.code, unset.err.count("[variable-unset]")) == (3, 5)
    for form in ("text", "json", "sarif", "github"):
        done = machine.hftstack("validate", "s.yaml", "--anywhere", "--format", form)
        assert (done.code, done.err) == (0, ""), done.said

    machine.file.write_text(_VARIABLES.replace("testnet.binancefuture.com", "fapi.binance.com"))
    done = machine.hftstack("validate", "s.yaml", "--anywhere")
    assert (done.code, "fapi.binance.com is mainnet" in done.err) == (3, True)
    machine.file.write_text(_VARIABLES.replace("${GRACE:-1s}", "${GRACE}"))
    done = machine.hftstack("validate", "s.yaml", "--anywhere")
    assert (done.code, done.err.count("the variable GRACE is not set, and its value is needed here")) == (3, 1)
    assert "1 error." in done.err
    assert machine.hftstack("validate", "s.yaml", "--anywhere", env={"GRACE": "5s"}).code == 0


def test_all_stack_files_of_the_folder_are_judged_and_none_is_no_mistake(machine: Machine) -> None:
    assert (machine.hftstack("validate", "--all").code, machine.hftstack("validate", "--all", "s.yaml").code) == (0, 2)
    (machine.folder / "stacks").mkdir()
    for name in ("one.yaml", "two.yml", "_base.yaml"):
        (machine.folder / "stacks" / name).write_text(_WARNED % "" if name == "one.yaml" else "network: nowhere\n")
    done = machine.hftstack("validate", "--all")

    assert done.code == 3
    assert "stacks/one.yaml: one is valid" in done.out
    assert "stacks/two.yml:1:" in done.err
    assert "_base" not in done.said
