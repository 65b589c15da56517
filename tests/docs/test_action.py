"""The action for pull requests and the hook for commits: their own steps, run as a runner and pre-commit run them."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

_REPOSITORY = Path(__file__).resolve().parents[2]
_STACK = "version: 1\nnetwork: local\nservices:\n  rest: {command: [sleep, '1']}\n"


def _action() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((_REPOSITORY / "action.yml").read_text(encoding="utf-8"))
    return found


def _step(name: str) -> str:
    (step,) = (step for step in _action()["runs"]["steps"] if step["name"] == name)
    return str(step["run"])


def _git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run([shutil.which("git") or "git", *who, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    _git(folder, "init", "-q")
    for text in (_STACK, _STACK.replace("'1'", "'2'")):
        (folder / "s.yaml").write_text(text)
        _git(folder, "add", "-A")
        _git(folder, "commit", "-q", "-m", "a change")
    return folder


def _run(script: str, repository: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    temporary = repository.parent
    env = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(temporary),
        "RUNNER_TEMP": str(temporary),
        "GITHUB_OUTPUT": str(temporary / "output"),
        "GITHUB_STEP_SUMMARY": str(temporary / "summary"),
        "FILE": "s.yaml",
        **variables,
    }
    command = [shutil.which("bash") or "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(command, cwd=repository, env=env, capture_output=True, text=True, check=False)


def test_the_action_reports_what_a_pull_request_changes(repository: Path) -> None:
    done = _run(_step("Diff"), repository, BASE="HEAD~1", HEAD="HEAD")

    assert done.returncode == 0, done.stderr
    output = (repository.parent / "output").read_text()
    assert "changes=true\n" in output
    report = Path(output.partition("report=")[2].strip()).read_text()
    assert "1 to change" in report
    assert report == (repository.parent / "summary").read_text()


def test_the_action_says_when_nothing_changes(repository: Path) -> None:
    assert _run(_step("Diff"), repository, BASE="HEAD", HEAD="HEAD").returncode == 0
    assert "changes=false\n" in (repository.parent / "output").read_text()


def test_the_action_fails_for_what_cannot_be_compared_or_is_no_stack(repository: Path) -> None:
    assert _run(_step("Diff"), repository, BASE="nope", HEAD="HEAD").returncode == 2
    (repository / "s.yaml").write_text("version: 1\n")
    done = _run(_step("Validate"), repository)
    assert done.returncode == 3
    assert "::error file=s.yaml" in done.stdout


def test_no_step_of_the_action_or_the_example_puts_an_expression_into_a_script() -> None:
    example = yaml.safe_load((_REPOSITORY / "examples/pull-request.yml").read_text(encoding="utf-8"))
    steps = [*_action()["runs"]["steps"], *example["jobs"]["review"]["steps"]]

    assert [step for step in steps if "${{" in step.get("run", "")] == []
    assert example["jobs"]["review"]["steps"][1]["with"].keys() <= _action()["inputs"].keys()


def test_the_hook_refuses_a_commit_whose_config_in_toml_leads_to_another_network(repository: Path) -> None:
    (hook,) = yaml.safe_load((_REPOSITORY / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    urls = {"stream_url": "wss://fstream.binancefuture.com/ws", "api_url": "https://testnet.binancefuture.com"}
    stack = "network: testnet\nconnectors:\n  bf: {type: binancefutures, config: bf.toml, env: {A: '${NOT_SET}'}}\n"
    folder = repository / "stacks"
    folder.mkdir()
    (folder / "prod.yaml").write_text(stack)
    (folder / "_base.yaml").write_text("a base alone is no stack\n")
    config = "".join(f'{key} = "{url}"\n' for key, url in urls.items())

    def run() -> subprocess.CompletedProcess[str]:
        return _run(shlex.join(shlex.split(hook["entry"])), repository)

    (folder / "bf.toml").write_text(config)
    assert run().returncode == 0, run().stderr
    (folder / "bf.toml").write_text(config.replace("testnet.binancefuture.com", "fapi.binance.com"))
    done = run()
    assert done.returncode == 3
    assert "stacks/bf.toml:2:11: /api_url: https://fapi.binance.com is mainnet" in done.stderr
    assert all(re.search(hook["files"], name) for name in ("stacks/bf.toml", "stacks/prod.yaml", "base.yml"))
    assert (hook["language"], hook["pass_filenames"]) == ("python", False)
