"""A stack from Python, on real processes, beside the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from orchestrator import Stack
from orchestrator.control.client import NotSupervisedError
from orchestrator.errors import NotReachedError, RefusedError, StackError, UsageError
from tests.children import until

if TYPE_CHECKING:
    from orchestrator.api import Event
    from tests.integration.harness import Machine

_REST = {"command": ["sleep", "1000"]}


def _stack(machine: Machine) -> Stack:
    return Stack.load(machine.file, machine.environ())


def test_a_file_with_mistakes_is_refused_with_all_of_them(machine: Machine) -> None:
    machine.write(services={"a": {"comand": ["true"]}}, bots={"b": {"command": ["true"], "depends_on": ["nobody"]}})
    with pytest.raises(StackError) as caught:
        _stack(machine)

    assert "did you mean command?" in str(caught.value)
    assert "nobody" in str(caught.value)


def test_a_stack_knows_its_name_its_file_and_its_units_in_their_order(machine: Machine) -> None:
    machine.write(services={"b": {**_REST, "depends_on": ["c"]}, "c": _REST})
    stack = _stack(machine)

    assert (stack.name, stack.file, stack.units, stack.warnings) == ("s", machine.file, ("c", "b"), ())


def test_up_wait_status_and_down_are_those_of_the_command_line(machine: Machine) -> None:
    cwd = str(machine.folder)
    machine.write(
        connectors={"bf": {"type": "sim", "config": {"rate": 200, "symbols": ["btcusdt"]}, "cwd": cwd}},
        bots={"mm": {"type": "sim", "depends_on": ["bf"], "cwd": cwd, "stop": {"grace": "2s"}}},
    )
    stack = _stack(machine)
    heard: list[Event] = []
    after_up = stack.up(progress=heard.append)
    fresh = stack.wait("bf", for_="fresh", timeout=60)

    assert [unit["name"] for unit in after_up["units"]] == ["bf", "mm"]
    assert all(unit["reached"] for unit in after_up["units"])
    assert fresh["units"][0]["level"] == "fresh"
    assert [(event["unit"], event["what"]) for event in heard if event["unit"] and event["what"] == "up"] == [
        ("bf", "up"),
        ("mm", "up"),
    ]
    assert machine.pids() == {unit["name"]: unit["pid"] for unit in stack.status()["units"]}
    assert sorted(stack.down(progress=heard.append)) == ["bf", "mm"]
    assert ("mm", "stopping") in [(event["unit"], event["what"]) for event in heard]
    assert machine.left() == {}


def test_up_starts_only_what_is_named_and_what_it_needs(machine: Machine) -> None:
    machine.write(services={"a": _REST, "b": {**_REST, "depends_on": ["a"]}, "c": _REST})
    stack = _stack(machine)
    stack.up("b")

    assert {name for name, pid in machine.pids().items() if pid} == {"a", "b"}
    assert sorted(stack.down()) == ["a", "b"]


def test_up_again_changes_nothing(machine: Machine) -> None:
    machine.write(services={"a": _REST})
    stack = _stack(machine)
    first = stack.up()["units"][0]["pid"]

    assert _stack(machine).up()["units"][0]["pid"] == first
    stack.down()


def test_a_unit_that_does_not_get_there_is_an_error_with_its_last_words(machine: Machine) -> None:
    machine.write(
        services={"a": {"command": [machine.script("bad", "echo no key; exit 3")], "restart": {"policy": "never"}}}
    )
    with pytest.raises(NotReachedError) as caught:
        _stack(machine).up()

    assert caught.value.where == "s"
    assert "a did not get there" in str(caught.value)
    assert "no key" in str(caught.value)
    _stack(machine).down()


def test_a_wait_ends_with_what_is_missing(machine: Machine) -> None:
    cwd = str(machine.folder)
    machine.write(connectors={"bf": {"type": "sim", "cwd": cwd}})
    stack = _stack(machine)
    stack.up()
    with pytest.raises(NotReachedError, match=r"fresh: bf not there within 0\.1 s"):
        stack.wait(["bf"], for_="fresh", timeout=0.1)
    stack.down()


@pytest.mark.parametrize("ask", ["up", "wait"])
def test_a_unit_that_the_stack_lacks_is_named(machine: Machine, ask: str) -> None:
    machine.write(services={"proxy": _REST})
    stack = _stack(machine)
    stack.up()
    with pytest.raises(UsageError, match="no unit poxy") as caught:
        stack.up("poxy") if ask == "up" else stack.wait("poxy")

    assert "did you mean proxy?" in str(caught.value)
    stack.down()


def test_a_stack_that_never_ran_has_a_status_no_units_and_nothing_to_wait_for_or_stop(machine: Machine) -> None:
    machine.write(services={"a": _REST})
    stack = _stack(machine)

    assert (stack.status()["supervised"], stack.status()["units"]) == (False, [])
    assert stack.down() == ()
    with pytest.raises(NotSupervisedError, match="s is not running"):
        stack.wait()


def test_another_file_of_the_same_name_neither_sees_nor_stops_what_runs(machine: Machine) -> None:
    machine.write(services={"a": _REST})
    stack = _stack(machine)
    stack.up()
    other = machine.folder / "other.yaml"
    machine.write(services={"a": _REST}, file=other)
    stranger = Stack.load(other, machine.environ())
    for ask in (stranger.up, stranger.status, stranger.wait, stranger.down):
        with pytest.raises(RefusedError, match="a stack named s is running from"):
            ask()

    assert machine.pids()["a"] is not None
    stack.down()


def test_a_unit_that_must_be_killed_makes_down_an_error_that_names_it(machine: Machine) -> None:
    script = machine.script("deaf", "trap '' TERM; echo deaf; while :; do sleep 0.05; done")
    ready = {"ready": {"log": "deaf"}}
    machine.write(services={"a": {"command": [script], "stop": {"grace": "1s"}, **ready}})
    stack = _stack(machine)
    stack.up()
    with pytest.raises(NotReachedError, match="did not end cleanly") as caught:
        stack.down()

    assert "a:" in str(caught.value)
    assert machine.left() == {}


def test_ctrl_c_during_up_stops_what_it_started_and_stays_a_keyboard_interrupt(machine: Machine) -> None:
    machine.write(services={"a": _REST, "b": {**_REST, "ready": {"log": "never"}, "health": {"startup": "100s"}}})
    program = machine.folder / "program.py"
    program.write_text(f"from orchestrator import Stack\nStack.load({str(machine.file)!r}).up()\n", encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, program], env=machine.environ(), cwd=machine.folder, stderr=subprocess.PIPE, text=True
    )
    until(lambda: machine.pids().get("b"))
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)

    assert "KeyboardInterrupt: stopped what this `up` had started: " in said
    assert machine.left() == {}
