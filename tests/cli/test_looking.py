"""Commands on stacks that run, and on none: which stack is meant, and how it reads on a terminal and in a pipe."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.children import until
from tests.cli.terminal import Terminal
from tests.integration.harness import HFTSTACK

if TYPE_CHECKING:
    from tests.integration.harness import Machine

_TALKER = 'i=0; while true; do i=$((i+1)); echo "line $i"; sleep 0.05; done'
"""A shell script that writes without end."""


def _resting(machine: Machine, *names: str) -> None:
    for name in names:
        machine.write(
            file=machine.folder / f"{name}.yaml", name=name, services={"rest": {"command": ["sleep", "1000"]}}
        )


def _terminal(machine: Machine, *words: str, columns: int = 80, **env: str) -> Terminal:
    env = {"TERM": "xterm-256color", **env}
    return Terminal([*HFTSTACK, *words], cwd=machine.folder, env=machine.environ(**env), columns=columns)


def test_without_a_stack_each_command_says_so(machine: Machine) -> None:
    codes = {verb: machine.hftstack(verb) for verb in ("status", "down", "logs", "probe")}

    assert {verb: done.code for verb, done in codes.items()} == {"status": 5, "down": 0, "logs": 2, "probe": 2}
    for done in codes.values():
        assert "no stack is running" in done.said


def test_a_stack_is_meant_by_name_by_path_or_because_it_is_the_only_one(machine: Machine) -> None:
    _resting(machine, "one")
    assert machine.hftstack("up", "one.yaml").code == 0

    for words in ((), ("one",), ("one.yaml",), (str(machine.folder / "one.yaml"),)):
        done = machine.hftstack("status", *words, "--format", "json")
        assert (done.code, json.loads(done.out)["stack"]) == (0, "one")
    assert machine.hftstack("down", "one.yaml").code == 0


def test_of_several_stacks_one_must_be_named(machine: Machine) -> None:
    _resting(machine, "one", "two")
    assert [machine.hftstack("up", f"{name}.yaml").code for name in ("one", "two")] == [0, 0]

    for verb in ("status", "down", "logs", "probe"):
        done = machine.hftstack(verb)
        assert (done.code, done.out) == (2, "")
        assert "2 stacks are running: one, two" in done.err
    assert machine.hftstack("down", "two").code == 0
    assert "one is down" in machine.hftstack("down").out


def test_down_says_what_it_stopped_and_again_that_there_is_nothing(machine: Machine) -> None:
    _resting(machine, "one")
    machine.hftstack("up", "one.yaml")
    first = machine.hftstack("down")
    again = machine.hftstack("down", "one")

    assert (first.code, again.code) == (0, 0)
    assert first.out.startswith("rest  stopped\none is down, ")
    assert "orders at the exchange were NOT cancelled" in first.out
    assert again.out == "one is not running\n"


def test_a_second_up_changes_nothing_and_says_so(machine: Machine) -> None:
    _resting(machine, "one")
    machine.hftstack("up", "one.yaml")
    before = machine.members()
    done = machine.hftstack("up", "one.yaml")

    assert done.code == 0
    assert "nothing to change, " in done.out
    assert [len(pids) for pids in before.values()] == [1]
    assert machine.members() == before


def test_logs_of_a_stack_that_is_down_are_still_there(machine: Machine) -> None:
    machine.write(
        services={"talker": {"command": ["sh", "-c", "echo last words; sleep 1000"], "ready": {"log": "last"}}}
    )
    machine.up()
    machine.down()

    done = machine.hftstack("logs")
    assert (done.code, done.out) == (0, "last words\n")


def test_a_unit_that_the_stack_lacks_is_named_with_those_it_has(machine: Machine) -> None:
    _resting(machine, "one")
    machine.hftstack("up", "one.yaml")
    done = machine.hftstack("logs", "rset")

    assert (done.code, done.out) == (2, "")
    assert done.err == "one has no unit rset\n    did you mean rest? it has rest\n"
    assert machine.hftstack("logs", "one").err == "one has no unit one\n    -s one names the stack; it has rest\n"


def test_a_failed_up_shows_the_unit_its_exit_its_last_words_and_what_to_try(machine: Machine) -> None:
    script = "for i in 1 2 3; do echo trying; done; echo \"ModuleNotFoundError: No module named 'nope'\"; exit 3"
    machine.write(
        connectors={"bf": {"type": "sim"}}, bots={"mm": {"command": ["sh", "-c", script], "depends_on": ["bf"]}}
    )
    done = machine.hftstack("up", "s.yaml")

    assert done.code == 5
    assert done.err.splitlines()[-8:-1] == [
        "mm: ready not reached",
        "    state  failed, exit 3",
        "    why    exit 3",
        "    wrote  | trying  (3 times)",
        "           | ModuleNotFoundError: No module named 'nope'",
        "    try    its Python lacks a module: name the interpreter that has it as the first word of `command:`",
        "    more   hftstack logs -s s mm",
    ]
    assert "s is not up after " in done.err.splitlines()[-1]
    assert "left running: bf" in done.err.splitlines()[-1]


@pytest.mark.parametrize("verb", ["status", "logs", "events", "probe", "wait", "stop", "--help"])
def test_a_reader_that_leaves_early_is_no_error_of_ours(machine: Machine, verb: str) -> None:
    machine.write(services={"rest": {"command": ["sh", "-c", "echo resting; exec sleep 1000"]}})
    machine.up()
    reading, writing = os.pipe()
    os.close(reading)
    words = (verb, "rest") if verb == "stop" else (verb,)
    with subprocess.Popen(
        [*HFTSTACK, *words],
        cwd=machine.folder,
        env=machine.environ(),
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(writing)
        said = process.communicate(timeout=30)[1]

    assert (process.returncode, said) == (141, "")


def test_nobody_need_read_an_error_either(machine: Machine) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with subprocess.Popen(
        [*HFTSTACK, "statsu"], cwd=machine.folder, env=machine.environ(), stdout=writing, stderr=writing
    ) as process:
        os.close(writing)

    assert process.returncode == 141


def test_output_that_cannot_be_written_is_told(machine: Machine) -> None:
    with (
        Path("/dev/full").open("w") as full,
        subprocess.Popen(
            [*HFTSTACK, "--help"],
            cwd=machine.folder,
            env=machine.environ(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        said = process.communicate(timeout=30)[1]

    assert (process.returncode, said) == (1, "cannot write the output: No space left on device\n")


def test_logs_into_head_end_with_it(machine: Machine) -> None:
    machine.write(services={"talker": {"command": [machine.script("talker", _TALKER)]}})
    machine.up()
    command = " ".join(f"'{word}'" for word in (*HFTSTACK, "logs", "-f"))
    done = subprocess.run(
        ["/bin/sh", "-c", f"{command} | head -n 1"],
        cwd=machine.folder,
        env=machine.environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stdout.startswith("line ")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


@pytest.mark.parametrize("words", [("status",), ("status", "one"), ("probe", "one"), ("events", "one")])
def test_no_line_is_longer_than_a_narrow_terminal(machine: Machine, words: tuple[str, ...]) -> None:
    machine.write(
        file=machine.folder / "one.yaml",
        name="one",
        connectors={"a-connector-of-a-long-name": {"type": "sim"}},
        bots={"mm": {"type": "sim", "depends_on": ["a-connector-of-a-long-name"], "stop": {"grace": "1s"}}},
    )
    assert machine.hftstack("up", "one.yaml").code == 0
    terminal = _terminal(machine, *words, columns=40)

    assert terminal.end() == 0
    lines = terminal.text.splitlines()
    assert len(lines) >= 2
    assert max(map(len, lines)) <= 40
    assert "a-connector-of-a-long-name" in terminal.text


def test_what_up_and_stop_say_fits_a_narrow_terminal(machine: Machine) -> None:
    machine.write(
        services={
            "a-service-of-a-long-name": {"command": ["sleep", "1000"]},
            "other": {"command": ["sleep", "1000"], "depends_on": ["a-service-of-a-long-name"]},
        }
    )
    for words in (("up", "s.yaml", "other"), ("restart", "other"), ("wait",), ("stop", "a-service-of-a-long-name")):
        terminal = _terminal(machine, *words, columns=40)
        assert terminal.end() == 0, terminal.text
        drawn = [text for line in terminal.raw.splitlines() for text in line.split("\r\x1b[K")]
        rows = [line for line in drawn if line.startswith(("a-service", "other"))]
        assert max(map(len, rows), default=0) <= 40
        assert "Traceback" not in terminal.raw


def test_a_terminal_has_colours_unless_no_color_is_set(machine: Machine) -> None:
    _resting(machine, "one")
    machine.hftstack("up", "one.yaml")
    coloured, plain, dumb = (
        _terminal(machine, "status"),
        _terminal(machine, "status", NO_COLOR="1"),
        _terminal(machine, "status", TERM="dumb"),
    )

    assert [terminal.end() for terminal in (coloured, plain, dumb)] == [0, 0, 0]
    assert "\x1b[32m" in coloured.raw
    assert "\x1b" not in plain.raw
    assert "\x1b" not in dumb.raw


def test_watching_ends_with_ctrl_c_and_leaves_the_last_table(machine: Machine) -> None:
    _resting(machine, "one")
    machine.hftstack("up", "one.yaml")
    terminal = _terminal(machine, "status", "--watch")
    until(lambda: terminal.shows("\x1b[J"))
    assert "\x1b[2J" not in terminal.raw
    terminal.interrupt()

    assert terminal.end() == 130
    assert "Traceback" not in terminal.raw
    rest = terminal.raw.rpartition("\x1b[?1049l")[2]
    assert "UNIT" in rest
    assert "rest" in rest


def test_watching_goes_on_when_the_stack_goes_down(machine: Machine) -> None:
    _resting(machine, "one")
    machine.hftstack("up", "one.yaml")
    terminal = _terminal(machine, "status", "--watch")
    until(lambda: terminal.shows("\x1b[J"))
    machine.hftstack("down")
    until(lambda: terminal.shows("one is down: hftstack up"))
    terminal.interrupt()

    assert terminal.end() == 130


def test_following_shows_what_is_written_now_and_ends_with_ctrl_c(machine: Machine) -> None:
    machine.write(services={"talker": {"command": [machine.script("talker", _TALKER)]}})
    machine.up()
    terminal = _terminal(machine, "logs", "-f", "-n", "1")
    until(lambda: terminal.shows("line"))
    number = int(terminal.text.split()[1])
    until(lambda: terminal.shows(f"line {number + 5}"))
    terminal.interrupt()

    assert terminal.end() == 130
    assert "Traceback" not in terminal.raw
    assert "interrupted" not in terminal.raw


def test_up_on_a_terminal_shows_what_it_waits_for_and_erases_it(machine: Machine) -> None:
    machine.write(
        services={
            "slow": {"command": ["sleep", "1000"], "ready": {"exec": ["test", "-e", "go"]}},
            "after": {"command": ["sleep", "1000"], "depends_on": ["slow"]},
        }
    )
    terminal = _terminal(machine, "up", "s.yaml")
    until(lambda: terminal.shows("slow → ready; after waits for slow"))
    (machine.folder / "go").touch()

    assert terminal.end() == 0
    assert "up in " in terminal.text
    last = terminal.raw.rpartition("\n")[0].rpartition("after waits for slow")[2]
    assert "\r\x1b[K" in last


def test_ctrl_c_during_up_stops_what_it_had_started(machine: Machine) -> None:
    machine.write(services={"slow": {"command": ["sleep", "1000"], "ready": {"exec": ["false"]}}})
    terminal = _terminal(machine, "up", "s.yaml")
    until(lambda: terminal.shows("slow → ready"))
    terminal.interrupt()

    assert terminal.end() == 130
    assert "stopped what this `up` had started" in terminal.text
    assert machine.left() == {}


def test_ctrl_c_during_down_leaves_the_stopping_to_the_supervisor(machine: Machine) -> None:
    stubborn = machine.script("stubborn", "trap '' TERM; touch armed; while true; do sleep 0.05; done")
    machine.write(bots={"mm": {"command": [stubborn], "stop": {"grace": "3s"}}})
    machine.up()
    until((machine.folder / "armed").exists)
    terminal = _terminal(machine, "down")
    until(lambda: terminal.shows("stopping mm"))
    terminal.interrupt()

    assert terminal.end() == 130
    assert "the supervisor goes on stopping" in terminal.text
    until(lambda: machine.left() == {})
