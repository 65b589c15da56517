from __future__ import annotations

import io
import shlex
import subprocess
from typing import TYPE_CHECKING

import click

from orchestrator.cli.terminal import Screen, drawing
from tests.integration.harness import HFTSTACK

if TYPE_CHECKING:
    from tests.integration.harness import Machine

_NOISE = 'printf "key \\033]52;c;aHVudGVyMg==\\007 \\033[2J\\302\\233 \\342\\200\\256 token=%s\\n" "$$TOKEN"; exit 1'
_SHOWN = "key \\u001b]52;c;aHVudGVyMg==\\u0007 \\u001b[2J\\u009b \\u202e token="


def _written(text: str, *, draws: bool = False, encoding: str = "utf-8") -> str:
    kept = io.BytesIO()
    screen = Screen(io.TextIOWrapper(kept, encoding=encoding))
    if draws:
        with drawing(screen):
            screen.write(text)
    else:
        click.echo(text, file=screen, color=True, nl=False)
    screen.flush()
    return kept.getvalue().decode()


def test_what_is_written_to_a_screen_commands_nothing_unless_it_draws() -> None:
    assert _written("a\x1b[2J\x1b[31mb\x1b[0m\n") == "a\\u001b[2J\x1b[31mb\x1b[0m\n"
    assert _written("\r\x1b[Ka", draws=True) == "\r\x1b[Ka"
    assert _written("\u202eé", encoding="ascii") == "\\u202eé"
    assert _written("caf\udce9") == "caf\\udce9"


def test_no_verb_hands_on_what_a_unit_writes_to_the_terminal_or_what_it_was_given(machine: Machine) -> None:
    machine.write(
        services={"s": {"command": ["sh", "-c", _NOISE], "env": {"TOKEN": "hunter22"}, "restart": {"policy": "never"}}}
    )
    up = machine.hftstack("up", machine.file)
    logs = machine.hftstack("logs", "s")

    assert up.code == 5
    assert f"| {_SHOWN}[hidden]\n" in up.err
    assert logs.out == f"{_SHOWN}hunter22\n"
    for done in (up, logs, machine.hftstack("status"), machine.hftstack("events")):
        assert done.said.replace("\n", "").isprintable()


def test_a_working_directory_that_is_gone_and_a_name_too_long_are_told_in_a_line(machine: Machine) -> None:
    gone = machine.folder / "gone"
    script = f"mkdir {gone} && cd {gone} && rmdir {gone} && exec {shlex.join(HFTSTACK)} status x.yaml"
    done = subprocess.run(
        ["/bin/sh", "-c", script], env=machine.environ(), capture_output=True, text=True, timeout=60, check=False
    )
    long = machine.hftstack("validate", "x" * 300)

    assert (done.returncode, done.stderr) == (1, "the working directory is gone\n    cd to one that is there\n")
    assert "Traceback" not in long.said
    assert long.code == 2


def test_a_text_of_the_file_that_turns_the_writing_around_is_seen_as_that(machine: Machine) -> None:
    turned = "\u202efdp.exe"
    machine.write(services={"s": {"command": ["echo", turned]}}, bots={})

    for verb in ("plan", "config"):
        done = machine.hftstack(verb, machine.file)
        assert done.code == 0, done.said
        assert turned not in done.said
    assert '"\\u202efdp.exe"' in machine.hftstack("config", machine.file).out
