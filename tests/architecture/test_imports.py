"""Who may import whom, and what the daemon and the quick verbs load."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.cli.main import VERBS
from tests.integration.harness import Machine

if TYPE_CHECKING:
    from collections.abc import Iterator

_REPOSITORY = Path(__file__).resolve().parents[2]
_HEAVY = frozenset({"yaml", "pydantic", "pydantic_core", "networkx", "rich", "psutil", "tomli_w", "asyncio", "sqlite3"})
_DAEMON = """
import importlib, json, pkgutil, sys
sys.path.insert(0, sys.argv[1])
import orchestrator.supervise.main
for room in ("supervise", "control", "channel", "deployment"):
    package = importlib.import_module("orchestrator." + room)
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"orchestrator.{room}.{module.name}")
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
_VERB = """
import json, sys
from orchestrator.cli.main import run
code = run(json.loads(sys.argv[1]))
print(json.dumps([code, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


@pytest.fixture
def machine() -> Iterator[Machine]:
    started = Machine()
    yield started
    started.close()


def _loaded_by(machine: Machine, *words: str, code: int, **env: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", _VERB, json.dumps(words)],
        cwd=machine.folder,
        env=machine.environ(**env),
        capture_output=True,
        text=True,
        check=True,
    )
    found, modules = json.loads(done.stdout.splitlines()[-1])
    assert found == code, done.stdout + done.stderr
    return set(modules)


def test_the_contracts_on_imports_are_kept() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=_REPOSITORY, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_supervisor_needs_nothing_but_the_standard_library() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _DAEMON, _REPOSITORY], capture_output=True, text=True, check=True
    )

    loaded = set(json.loads(done.stdout))
    assert "asyncio" in loaded
    assert loaded - sys.stdlib_module_names <= {"__main__", "orchestrator"}


def test_the_guardian_loads_next_to_nothing() -> None:
    script = "import sys; sys.path.insert(0, sys.argv[1]); import orchestrator.supervise.guardian; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script, _REPOSITORY], capture_output=True, text=True, check=True
    )

    loaded = set(done.stdout.split())
    assert "orchestrator.supervise.guardian" in loaded
    assert not loaded & {"typing", "signal", "pathlib", "re", "collections", "enum", "contextlib", "ctypes"}


def test_no_openssl_is_in_a_supervisor(machine: Machine) -> None:
    machine.write(services={"rest": {"command": ["sleep", "1000"]}})
    machine.up()
    maps = Path(f"/proc/{machine.supervisor()}/maps").read_text()
    machine.down()

    assert "_asyncio" in maps
    assert not [line for line in maps.splitlines() if "libcrypto" in line or "libssl" in line]


def test_status_of_a_supervised_stack_loads_no_big_library(machine: Machine) -> None:
    machine.write(services={"rest": {"command": ["sleep", "1000"]}})
    machine.up()

    assert not _loaded_by(machine, "status", code=0) & _HEAVY
    machine.down()


def test_status_of_a_stack_without_a_supervisor_loads_no_big_library(machine: Machine) -> None:
    machine.write(services={"rest": {"command": ["sleep", "1000"]}})
    machine.up()
    machine.down()

    assert not _loaded_by(machine, "status", "s", code=5) & _HEAVY


@pytest.mark.parametrize("words", [("--help",), ("--version",), *((verb, "--help") for verb in VERBS)])
def test_help_loads_no_big_library(machine: Machine, words: tuple[str, ...]) -> None:
    assert not _loaded_by(machine, *words, code=0) & _HEAVY


def _loaded_by_completion(machine: Machine, line: str) -> tuple[list[str], set[str]]:
    """Return what is offered for the last word of a command line, and the modules that this took."""
    script = (
        "import sys\nfrom orchestrator.cli.main import main\n"
        "try:\n    main([])\nfinally:\n    print(*sys.modules, file=sys.stderr)\n"
    )
    words = len(line.split(" "))
    env = machine.environ(_HFTSTACK_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(words - 1))
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=machine.folder, env=env, capture_output=True, text=True, check=False
    )
    return done.stdout.split(), set(done.stderr.split())


def test_completion_of_a_verb_loads_no_verb_and_no_big_library(machine: Machine) -> None:
    offered, loaded = _loaded_by_completion(machine, "hftstack stat")

    assert offered == ["plain,status"]
    assert "orchestrator.cli.main" in loaded
    assert "orchestrator.cli.status" not in loaded
    assert not loaded & _HEAVY


@pytest.mark.parametrize("verb", VERBS)
def test_completion_behind_a_verb_loads_no_big_library(machine: Machine, verb: str) -> None:
    (machine.state).mkdir(parents=True)
    (machine.state / "deployment.json").write_text('{"units": [{"name": "bf"}]}')
    options = _loaded_by_completion(machine, f"hftstack {verb} --he")
    offered = _loaded_by_completion(machine, f"hftstack {verb} ")

    assert options[0] == ["plain,--help"]
    for _, loaded in (options, offered):
        assert f"orchestrator.cli.{verb}" in loaded
        assert not loaded & _HEAVY
