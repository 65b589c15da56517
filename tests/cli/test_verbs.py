from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from orchestrator.cli.main import VERBS

if TYPE_CHECKING:
    from tests.integration.harness import Machine

_FOLDER = Path(__file__).resolve().parents[2] / "orchestrator" / "cli"


def _is_verb(module: Path) -> bool:
    return "@click.command(" in module.read_text(encoding="utf-8")


def test_the_table_of_verbs_and_the_modules_agree() -> None:
    assert {module.stem for module in _FOLDER.glob("*.py") if _is_verb(module)} == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_explains_itself_with_an_example(machine: Machine, verb: str) -> None:
    command = import_module(f"orchestrator.cli.{verb}").command
    done = machine.hftstack(verb, "--help")

    assert isinstance(command, click.Command)
    assert (done.code, done.err) == (0, "")
    assert f"\n  hftstack {verb}" in done.out
    assert all(len(line) <= 80 for line in done.out.splitlines())


@pytest.mark.parametrize("words", [(), ("up",), ("logs",), ("history",)], ids=lambda words: words or "hftstack")
def test_help_fits_a_terminal_of_40_columns(machine: Machine, words: tuple[str, ...]) -> None:
    done = machine.hftstack(*words, "--help", env={"COLUMNS": "40"})

    wrapped = done.out.partition("Examples:" if words else "Completion:")[0]
    assert done.code == 0
    assert [line for line in wrapped.splitlines() if len(line) > 40] == []


@pytest.mark.parametrize("verb", VERBS)
def test_an_option_that_a_verb_lacks_is_a_mistake_of_usage(machine: Machine, verb: str) -> None:
    done = machine.hftstack(verb, "--no-such")

    assert (done.code, done.out) == (2, "")
    assert "No such option" in done.err


def test_help_names_every_verb(machine: Machine) -> None:
    done = machine.hftstack("--help")

    assert done.code == 0
    for verb, text in VERBS.items():
        assert f"  {verb}" in done.out
        assert text.split(",")[0][:40] in done.out


def test_no_verb_shows_the_help_and_is_a_mistake_of_usage(machine: Machine) -> None:
    done = machine.hftstack()

    assert done.code == 2
    assert "hftstack up stacks/prod.yaml" in done.said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("statsu",), "Did you mean 'status'?"),
        (("xyzzy",), "No such command 'xyzzy'."),
        (("up",), "which stack file? none is named"),
        (("up", "s.yaml", "--no-such"), "No such option"),
        (("up", "s.yaml", "--timeout", "0"), "0"),
        (("status", "--format", "xml"), "'xml' is not one of"),
        (("status", "nope"), "no stack is named nope here"),
        (("status", "nope.yaml"), "no stack was ever started from nope.yaml here"),
        (("down", "nope.yaml"), "no stack was ever started from nope.yaml here"),
        (("logs", "--tail", "-1"), "-1"),
        (("start",), "Missing argument 'UNIT...'"),
        (("stop",), "Missing argument 'UNIT...'"),
        (("reset",), "Missing argument 'UNIT...'"),
        (("restart",), "Missing argument 'UNIT...'"),
        (("restart", "bf", "--timeout", "soon"), "'soon' is neither seconds nor a duration"),
        (("wait", "--for", "better"), "'better' is not one of"),
        (("wait", "-s", "nope"), "no stack is named nope here"),
        (("stop", "-s", "nope.yaml", "bf"), "no stack was ever started from nope.yaml here"),
        (("events", "--since", "soon"), "'soon' is neither an instant such as"),
        (("probe", "nope"), "no stack is named nope here"),
        (("halt",), "Missing option '--reason'"),
        (("halt", "--reason", " \t\n"), "whoever finds it so will want to know why"),
        (("halt", "--reason", "x", "--stack", "nope"), "no stack is named nope here"),
        (("resume",), "Missing option '--reason'"),
        (("resume", "--reason", "x", "--stack", "nope.yaml"), "no stack was ever started from nope.yaml here"),
    ],
)
def test_a_mistake_on_the_command_line_is_named(machine: Machine, words: tuple[str, ...], said: str) -> None:
    done = machine.hftstack(*words)

    assert done.code == 2, done.said
    assert said in done.err
    assert done.out == ""
    assert "Traceback" not in done.err
