"""A change between two git revisions, for a pull request."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.integration.harness import Done, Machine

KEY = "k-4711-not-to-be-seen"
TOML = """\
stream_url = "wss://fstream.binancefuture.com/ws"
api_url = "https://testnet.binancefuture.com"
order_prefix = "mm1"
api_key = "${secret:k}"
secret = "${secret:s}"
"""
BASE = "version: 1\nnetwork: testnet\nsecrets: {k: {env: K}, s: {env: S}}\n"
STACK = """\
extends: ../base.yaml
name: prod
connectors:
  bf: {type: binancefutures, config: bf.toml}
bots:
  mm: {command: [no-such-bot, --size, "1"], depends_on: [bf], env: {TOKEN: TOKEN-1}}
""".replace("TOKEN-1", KEY)


def _git(machine: Machine, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    program = shutil.which("git") or "git"
    subprocess.run([program, *who, *words], cwd=machine.folder, check=True, capture_output=True)


def _commit(machine: Machine, **texts: str) -> None:
    names = {"base": "base.yaml", "stack": "stacks/prod.yaml", "toml": "stacks/bf.toml"}
    for name, text in texts.items():
        path = machine.folder / names[name]
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    _git(machine, "add", "base.yaml", "stacks")
    _git(machine, "commit", "-q", "-m", "a change")


@pytest.fixture
def repository(machine: Machine) -> Machine:
    _git(machine, "init", "-q", "-b", "main")
    _commit(machine, base=BASE, stack=STACK, toml=TOML)
    return machine


def _diff(machine: Machine, *words: str) -> Done:
    return machine.hftstack("diff", *words, "stacks/prod.yaml")


def _steps(machine: Machine, *words: str) -> dict[str, Any]:
    done = _diff(machine, *words, "--format", "json")
    assert done.code == 0, done.said
    return {step["unit"]: step for step in json.loads(done.out)["steps"]}


def test_what_the_stack_extends_and_its_configs_are_read_from_the_revisions(repository: Machine) -> None:
    _commit(repository, toml=TOML.replace("mm1", "mm2"), base=f"{BASE}build: {{profile: dev}}\n")
    shutil.rmtree(repository.folder / "stacks")

    done = _diff(repository, "HEAD~1", "main", "--exit-code")

    assert (done.code, done.err) == (6, "")
    assert 'config.order_prefix: "mm1" -> "mm2"' in done.out
    assert "build: profile: release -> dev" in done.out
    assert "channels that go dark: bf; bots on them: mm" in done.out


def test_values_that_may_be_secret_are_compared_and_not_shown(repository: Machine) -> None:
    _commit(repository, stack=STACK.replace(KEY, f"{KEY}-2"))
    done = _diff(repository, "HEAD~1", "HEAD", "--format", "markdown")

    assert done.code == 0
    assert "env.TOKEN: #" in done.out
    assert KEY not in done.said
    assert "api_key" not in done.out


def test_a_secret_is_compared_by_what_refers_to_it(repository: Machine) -> None:
    _commit(repository, toml=TOML.replace("${secret:k}", "${secret:s}"))

    assert [
        (change["field"], change["old"], change["new"])
        for change in _steps(repository, "HEAD~1", "HEAD")["bf"]["changes"]
    ] == [("config.api_key", "${secret:k} (env K)", "${secret:s} (env S)")]


def test_nothing_changed_is_said_and_exits_0(repository: Machine) -> None:
    done = _diff(repository, "HEAD", "main", "--exit-code")

    assert done.code == 0
    assert "nothing to change, 2 kept" in done.out


def test_a_stack_that_one_revision_alone_has_is_added_or_removed(repository: Machine) -> None:
    _git(repository, "rm", "-q", "stacks/prod.yaml")
    _git(repository, "commit", "-q", "-m", "gone")

    assert {step["action"] for step in _steps(repository, "HEAD~1", "HEAD").values()} == {"remove"}
    assert {step["action"] for step in _steps(repository, "HEAD", "HEAD~1").values()} == {"add"}
    both = _diff(repository, "HEAD", "HEAD")
    assert both.code == 2
    assert "neither HEAD nor HEAD has this file" in both.err


@pytest.mark.parametrize("revision", ["nope", "--help-me", "HEAD:stacks", "HEAD~9", ""])
def test_a_revision_that_does_not_exist_is_one_clear_message(repository: Machine, revision: str) -> None:
    done = repository.hftstack("diff", "--", "main", revision, "stacks/prod.yaml")

    assert (done.code, done.out) == (2, "")
    assert f"there is no revision {revision!r} in " in done.err


def test_a_mistake_is_told_with_the_revision_that_has_it(repository: Machine) -> None:
    _commit(repository, toml=TOML.replace("testnet.binancefuture.com", "fapi.binance.com"))
    done = _diff(repository, "main~1", "main")

    assert done.code == 3
    assert "main:stacks/bf.toml:2:" in done.err


def test_what_no_repository_holds_cannot_be_compared(machine: Machine) -> None:
    machine.write(services={"rest": {"command": ["sleep", "1"]}})
    done = machine.hftstack("diff", "main", "HEAD", machine.file)

    assert done.code == 2
    assert "is in no git repository" in done.err


UNSET = STACK.replace('"1"', '"${SIZE}", "${NOTE:-none}"').replace(
    "{TOKEN: " + KEY + "}}", "{TOKEN: '${TOKEN}'}, stop: {grace: '${GRACE:-60s}'}, cwd: '${DIR}'}"
)


def test_a_variable_that_is_not_set_is_shown_as_it_is_written_and_its_change_is_told(repository: Machine) -> None:
    _commit(repository, stack=UNSET)
    changed = UNSET.replace("TOKEN}", "OTHER_TOKEN}").replace("SIZE}", "LOT}").replace(":-none", ":-some")
    _commit(repository, stack=changed.replace("${DIR}", "${DIR}/below").replace("60s", "90s"))
    done = _diff(repository, "HEAD~1", "HEAD")

    assert (done.code, done.err) == (0, "")
    assert "env.TOKEN: ${TOKEN} -> ${OTHER_TOKEN}\n" in done.out
    assert '"${SIZE}", "none"' in done.out
    assert '"${LOT}", "some"' in done.out
    assert "/stacks/${DIR}/below\n" in done.out.replace('"', "")
    assert "grace: 60.0 -> 90.0  (in place)" in done.out
    words = (*("diff", "HEAD~1", "HEAD", "stacks/prod.yaml", "--format", "json"),)
    known = repository.hftstack(*words, env={"TOKEN": KEY, "OTHER_TOKEN": KEY, "SIZE": KEY, "LOT": KEY, "DIR": KEY})
    assert known.code == 0
    assert KEY not in known.said
    assert len(json.loads(known.out)["steps"][1]["changes"]) == 4


def test_a_variable_that_has_to_be_a_duration_alone_needs_a_value(repository: Machine) -> None:
    _commit(repository, stack=UNSET.replace("GRACE:-60s", "GRACE"))
    _commit(repository, stack=UNSET.replace("GRACE:-60s", "GRACE").replace("SIZE}", "LOT}"))
    done = _diff(repository, "HEAD~1", "HEAD")

    assert done.code == 3
    assert "/bots/mm/stop/grace: the variable GRACE is not set, and its value is needed here" in done.err
    assert "1 error." in done.err
    known = repository.hftstack("diff", "HEAD~1", "HEAD", "stacks/prod.yaml", env={"GRACE": "5s", "LOT": KEY})
    assert known.code == 0, known.said
    assert KEY not in known.said
    assert '"${LOT}"' in known.out
