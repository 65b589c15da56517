"""Which stack and which file a command means when it names none, or by a name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from orchestrator.deployment.homes import Home
from orchestrator.errors import RefusedError
from orchestrator.observe import selection

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.harness import Machine

_SIM = "network: local\nconnectors: {a: {type: sim}}\n"


def _stack(machine: Machine, *files: str) -> None:
    for file in files:
        path = machine.folder / file
        path.parent.mkdir(exist_ok=True)
        machine.write(file=path, name=path.stem, services={"rest": {"command": ["sleep", "1000"]}})


def _meant(machine: Machine, *words: str, **env: str) -> str:
    done = machine.hftstack("status", *words, "--format", "json", env=env)
    assert done.out, done.err
    name: str = json.loads(done.out)["stack"]
    return name


@pytest.mark.parametrize("verb", ["validate", "build"])
def test_the_single_file_in_stacks_is_meant_when_none_is_named(machine: Machine, verb: str) -> None:
    _stack(machine, "stacks/prod.yml", "stacks/_base.yaml", "stacks/.hidden.yaml", "stacks/notes.txt")

    assert machine.hftstack(verb).code == 0
    assert machine.hftstack("validate").out.startswith("stacks/prod.yml: prod is valid")


@pytest.mark.parametrize("verb", ["validate", "build", "up"])
def test_of_several_files_in_stacks_none_is_guessed(machine: Machine, verb: str) -> None:
    _stack(machine, "stacks/prod.yaml", "stacks/test.yaml")
    done = machine.hftstack(verb)

    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "which stack file? none is named: stacks/prod.yaml, stacks/test.yaml\n"
        "    name one on the command line, or in HFTSTACK_STACK\n"
    )


def test_without_any_file_the_first_one_is_offered(machine: Machine) -> None:
    done = machine.hftstack("up")

    assert (done.code, done.out) == (2, "")
    assert "there is none in ./stacks" in done.err
    assert "hftstack init" in done.err


@pytest.mark.parametrize("wanted", ["test", "stacks/test.yaml"])
def test_a_variable_names_the_stack_or_its_file_and_the_command_line_wins(machine: Machine, wanted: str) -> None:
    _stack(machine, "stacks/prod.yaml", "stacks/test.yaml")

    assert machine.hftstack("validate", env={"HFTSTACK_STACK": wanted}).out.startswith("stacks/test.yaml: ")
    named = machine.hftstack("validate", "prod", env={"HFTSTACK_STACK": wanted})
    assert named.out.startswith("stacks/prod.yaml: ")


def test_a_variable_that_names_nothing_is_blamed(machine: Machine) -> None:
    _stack(machine, "stacks/prod.yaml")
    for verb in ("validate", "status"):
        done = machine.hftstack(verb, env={"HFTSTACK_STACK": "prdo"})

        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("HFTSTACK_STACK: ")
        assert "prdo" in done.err


def test_an_empty_variable_names_nothing(machine: Machine) -> None:
    _stack(machine, "stacks/prod.yaml")

    assert machine.hftstack("validate", env={"HFTSTACK_STACK": ""}).code == 0


def test_a_file_in_the_folder_is_no_stacks_name(machine: Machine) -> None:
    machine.file.write_text(_SIM)
    machine.file.rename(machine.folder / "prod")
    _stack(machine, "stacks/prod.yaml")

    assert machine.hftstack("validate", "prod").out.startswith("prod: ")


def test_a_stack_is_known_by_name_once_it_was_started_from_elsewhere(machine: Machine) -> None:
    _stack(machine, "one.yaml")
    assert machine.hftstack("up", "one.yaml").code == 0
    assert machine.hftstack("down").code == 0

    assert machine.hftstack("validate", "one").out.startswith(f"{machine.folder}/one.yaml: one is valid")


def test_a_name_that_two_files_have_is_not_guessed(machine: Machine) -> None:
    _stack(machine, "one.yaml")
    assert machine.hftstack("up", "one.yaml").code == 0
    assert machine.hftstack("down").code == 0
    _stack(machine, "stacks/one.yaml")
    done = machine.hftstack("up", "one")

    assert (done.code, done.out) == (2, "")
    assert f"one could be any of them: stacks/one.yaml, {machine.folder}/one.yaml" in done.err


def test_an_unknown_name_lists_the_files_there_are(machine: Machine) -> None:
    _stack(machine, "stacks/prod.yaml")
    done = machine.hftstack("up", "prdo")

    assert (done.code, done.out) == (2, "")
    assert "no stack prdo" in done.err
    assert "there is stacks/prod.yaml" in done.err


def test_of_several_that_run_the_variable_or_the_single_file_in_stacks_decides(machine: Machine) -> None:
    _stack(machine, "stacks/one.yaml", "two.yaml")
    for file in ("stacks/one.yaml", "two.yaml"):
        assert machine.hftstack("up", file).code == 0

    assert _meant(machine) == "one"
    assert _meant(machine, HFTSTACK_STACK="two") == "two"
    assert _meant(machine, HFTSTACK_STACK="two.yaml") == "two"
    assert _meant(machine, "one", HFTSTACK_STACK="two") == "one"
    assert machine.hftstack("down", env={"HFTSTACK_STACK": "two"}).out.splitlines()[-1].startswith("two is down")
    assert machine.hftstack("down").out.splitlines()[-1].startswith("one is down")
    assert _meant(machine) == "one"


def test_the_one_that_runs_is_meant_although_another_file_lies_in_stacks(machine: Machine) -> None:
    _stack(machine, "stacks/one.yaml", "two.yaml")
    assert machine.hftstack("up", "two.yaml").code == 0

    assert _meant(machine) == "two"


def test_down_of_a_file_that_was_never_up_is_done_however_it_is_named(machine: Machine) -> None:
    machine.file.write_text(_SIM)
    by_name, by_variable = (
        machine.hftstack("down", "s.yaml"),
        machine.hftstack("down", env={"HFTSTACK_STACK": "s.yaml"}),
    )

    assert (by_name.code, by_variable.code) == (0, 0)
    assert by_name.out == by_variable.out == "no stack was ever started from s.yaml here\n"


def test_a_runtime_directory_that_cannot_be_looked_into_is_named(tmp_path: Path) -> None:
    stack = Home(tmp_path / "state", tmp_path / ("x" * 300), 1000).stack("prod")
    with pytest.raises(RefusedError) as refused:
        selection.runs(stack)
    assert refused.value.where == str(stack.runtime)
    assert refused.value.hint is not None
    assert "XDG_RUNTIME_DIR" in refused.value.hint
