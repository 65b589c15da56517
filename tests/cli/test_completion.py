"""What a shell offers: verbs, stacks, their files, their units."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.integration.harness import HFTSTACK, pair

if TYPE_CHECKING:
    from tests.integration.harness import Machine


def _offered(machine: Machine, line: str, **env: str) -> list[str]:
    """Return what bash would be told for a command line whose last word is being typed."""
    words = line.split(" ")
    done = subprocess.run(
        HFTSTACK,
        cwd=machine.folder,
        env=machine.environ(_HFTSTACK_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1), **env),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if line]


def _plain(*names: str) -> list[str]:
    return [f"plain,{name}" for name in names]


@pytest.fixture
def deployed(machine: Machine) -> Machine:
    """A machine with a stack that was up."""
    machine.write(**pair())
    machine.up()
    machine.down()
    return machine


def test_the_files_in_stacks_are_offered_to_verbs_that_read_one(machine: Machine) -> None:
    (machine.folder / "stacks").mkdir()
    for name in ("prod.yaml", "test.yml", "_base.yaml", "notes.txt"):
        (machine.folder / "stacks" / name).touch()

    for verb in ("up", "validate", "build"):
        assert _offered(machine, f"hftstack {verb} ") == _plain("stacks/prod.yaml", "stacks/test.yml")
    assert _offered(machine, "hftstack up stacks/p") == _plain("stacks/prod.yaml")


def test_what_is_no_stack_of_ours_is_left_to_the_shell(machine: Machine) -> None:
    assert _offered(machine, "hftstack up ../ot") == ["file,../ot"]
    assert _offered(machine, "hftstack status x") == ["file,x"]


def test_stacks_that_were_up_are_offered_by_name(deployed: Machine) -> None:
    for verb in ("status", "down", "probe", "up", "events", "logs -s"):
        assert _offered(deployed, f"hftstack {verb} ") == _plain("s")


def test_units_are_offered_once_without_reading_the_stack_file(deployed: Machine) -> None:
    deployed.file.unlink()

    for verb in ("logs", "start", "stop", "restart", "reset", "wait"):
        assert _offered(deployed, f"hftstack {verb} -s s ") == _plain("bf", "mm")
    assert _offered(deployed, "hftstack logs -s s b") == _plain("bf")
    assert _offered(deployed, "hftstack logs -s s bf ") == _plain("mm")
    assert _offered(deployed, "hftstack up s ") == _plain("bf", "mm")
    assert _offered(deployed, "hftstack up -s s bf ") == _plain("mm")
    assert _offered(deployed, "hftstack events --unit b", HFTSTACK_STACK="s") == _plain("bf")
    assert _offered(deployed, "hftstack logs ", HFTSTACK_STACK="s") == _plain("bf", "mm")
    assert _offered(deployed, "hftstack logs mm ", HFTSTACK_STACK="s") == _plain("bf")


def test_the_units_of_the_stack_that_runs_are_offered_without_its_name(machine: Machine) -> None:
    machine.write(**pair())
    machine.up()

    assert _offered(machine, "hftstack logs m") == _plain("mm")
    machine.down()


def test_a_deployment_that_cannot_be_read_offers_nothing_and_says_nothing(deployed: Machine) -> None:
    for content in (b"{", b"[]", b'{"units": 1}', b'{"units": [1, {"name": 2}]}', b"\xff"):
        (deployed.state / "deployment.json").write_bytes(content)
        assert _offered(deployed, "hftstack logs -s s ") == []


def test_a_verb_that_does_not_exist_is_no_mistake_while_the_line_is_typed(machine: Machine) -> None:
    assert "plain,status" in _offered(machine, "hftstack nope ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(machine: Machine, shell: str) -> None:
    done = machine.hftstack(env={"_HFTSTACK_COMPLETE": f"{shell}_source"})

    assert done.code == 0
    assert "_HFTSTACK_COMPLETE" in done.out
