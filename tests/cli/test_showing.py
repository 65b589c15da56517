"""Verbs that print what a stack file means: its canonical form, its graph, its schema."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.cli.terminal import Terminal
from tests.integration.harness import HFTSTACK

if TYPE_CHECKING:
    from tests.integration.harness import Machine

_STACKS = Path(__file__).resolve().parents[2] / "stacks"
_STACK = """\
network: testnet
connectors:
  bf: {type: binancefutures, config: {stream_url: "wss://fstream.binancefuture.com/ws", secret: hunter2,
       order_prefix: mm1-, api_url: "https://testnet.binancefuture.com", api_key: "${KEY}"}}
"""


def test_config_prints_a_stack_file_without_secrets(machine: Machine) -> None:
    machine.file.write_text(_STACK)
    done = machine.hftstack("config", "s.yaml", env={"KEY": "hunter2"})

    assert (done.code, done.err) == (0, "")
    assert "hunter2" not in done.out
    assert yaml.safe_load(done.out)["connectors"]["bf"]["config"]["api_key"] == "${KEY}"
    machine.file.write_text(done.out)
    assert machine.hftstack("config", "s.yaml", env={"KEY": "x"}).out == done.out


def test_config_in_json_is_the_same(machine: Machine) -> None:
    machine.file.write_text(_STACK)
    text, data = (machine.hftstack("config", "s.yaml", "--format", form, env={"KEY": "x"}) for form in ("yaml", "json"))

    assert json.loads(data.out) == yaml.safe_load(text.out)


def test_config_refuses_what_is_not_valid(machine: Machine) -> None:
    machine.file.write_text(_STACK)
    done = machine.hftstack("config", "s.yaml")

    assert (done.code, done.out) == (3, "")
    assert "the variable KEY is not set" in done.err


def test_git_shows_what_changed_in_meaning_and_no_secret(machine: Machine) -> None:
    def git(*words: str) -> str:
        env = machine.environ(GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_SYSTEM="/dev/null")
        return subprocess.run(
            [shutil.which("git") or "git", "-c", "user.name=x", "-c", "user.email=x@x", *words],
            cwd=machine.folder,
            env=env,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    tool = " ".join(f"'{word}'" for word in (*HFTSTACK, "config", "--textconv"))
    git("init", "-q")
    git("config", "diff.hftstack.textconv", tool)
    (machine.folder / ".gitattributes").write_text("*.yaml diff=hftstack\n")
    machine.file.write_text(_STACK)
    git("add", "s.yaml", ".gitattributes")
    git("commit", "-qm", "first")
    machine.file.write_text(
        "connectors:\n  bf:\n    config:\n      api_key: ${KEY}\n      secret: hunter3\n      order_prefix: mm1-\n"
        "      api_url: https://testnet.binancefuture.com\n      stream_url: wss://fstream.binancefuture.com/ws\n"
        "    type: binancefutures\n    features: [a]\n\nnetwork: testnet\n"
    )
    changed = [
        line for line in git("diff", "s.yaml").splitlines() if line[:1] in "+-" and line[:3] not in {"+++", "---"}
    ]

    assert changed == ["+    features:", "+    - a"]
    machine.file.write_text("[broken\n")
    assert "+no stack file: s.yaml:" in git("diff", "s.yaml")


@pytest.mark.parametrize("words", [("config",), ("config", "--format", "json"), ("graph",)])
def test_a_reader_that_leaves_early_is_no_error_of_ours(machine: Machine, words: tuple[str, ...]) -> None:
    units = {f"c{number}": {"type": "sim"} for number in range(3000)}
    machine.write(connectors=units)
    reader = f"{' '.join(map(repr, [*HFTSTACK, *words, 's.yaml']))} | head -1"
    done = subprocess.run(
        ["/bin/sh", "-c", reader], cwd=machine.folder, env=machine.environ(), capture_output=True, text=True, check=True
    )

    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("form", "first"),
    [("ascii", "demo  local"), ("mermaid", "flowchart LR"), ("dot", 'digraph "demo" {'), ("json", "{")],
)
def test_graph_draws_in_every_format(machine: Machine, form: str, first: str) -> None:
    done = machine.hftstack("graph", _STACKS / "demo.yaml", "--format", form)

    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == first
    assert "watcher" in done.out


@pytest.mark.parametrize("stack", ["demo", "paper", "prod"])
def test_the_graph_of_a_normal_stack_fits_80_columns(machine: Machine, stack: str) -> None:
    done = machine.hftstack("graph", _STACKS / f"{stack}.yaml")

    assert done.code == 0
    assert max(map(len, done.out.splitlines())) <= 80


def test_the_graph_fits_a_narrow_terminal(machine: Machine) -> None:
    machine.write(connectors={"c" * 50: {"type": "sim"}})
    terminal = Terminal([*HFTSTACK, "graph", "s.yaml"], cwd=machine.folder, env=machine.environ(), columns=40)

    assert terminal.end() == 0
    assert max(map(len, terminal.text.splitlines())) == 40


@pytest.mark.parametrize("kind", [(), ("binancefutures",), ("binancespot",), ("bybit",)])
def test_schema_prints_what_is_in_the_repository(machine: Machine, kind: tuple[str, ...]) -> None:
    done = machine.hftstack("schema", *kind)
    file = f"{kind[0] if kind else 'stack'}.schema.json"

    assert (done.code, done.err) == (0, "")
    assert done.out == (_STACKS.parent / "schemas" / file).read_text(encoding="utf-8")


def test_a_type_without_a_schema_is_named_with_those_that_have_one(machine: Machine) -> None:
    done = machine.hftstack("schema", "kraken")

    assert (done.code, done.out) == (2, "")
    assert "'kraken' is not one of 'binancefutures', 'binancespot', 'bybit'" in done.err
