"""The kill switch on real processes: whatever the supervisors do, nothing runs afterwards and nothing comes back."""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.children import until
from tests.integration.harness import lives, pair

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.harness import Done, Machine

_WHY = ("--reason", "the model is wrong")
_ORDERS = "orders at the exchange were NOT cancelled"


def _halt(machine: Machine, *words: str) -> Done:
    return machine.hftstack("halt", *_WHY, *words)


def _resume(machine: Machine, *words: str) -> Done:
    return machine.hftstack("resume", "--reason", "mended", *words)


def _is_halted(machine: Machine) -> None:
    """Nothing is left, and everything that could start something refuses with reason and user."""
    assert machine.left() == {}
    for words in (("up", machine.file), ("start", "-s", "s", "mm"), ("restart", "-s", "s", "mm")):
        done = machine.hftstack(*words)
        assert done.code == 7, (words, done.said)
        assert "the model is wrong" in done.err
        assert "hftstack resume" in done.err
        assert done.out == ""  # nothing is built for it either
    assert machine.left() == {}


def test_a_halt_stops_bots_first_runs_the_hooks_and_holds_until_resume(machine: Machine) -> None:
    hook = machine.script("hook.sh", f"cat >>{machine.folder}/told")
    stack = pair()
    stack["bots"]["mm"]["hooks"] = {"on_halt": [hook]}
    stack["services"] = {
        "broken": {"command": ["false"], "restart": {"policy": "never"}, "hooks": {"on_halt": [hook]}},
        "idle": {"command": ["sleep", "1000"], "hooks": {"on_halt": [hook]}},
    }
    machine.write(stack)
    assert machine.hftstack("up", machine.file).code == 5
    machine.until_units(lambda units: units["mm"]["level"] == "ready" and units["broken"]["state"] == "failed")
    assert machine.hftstack("stop", "-s", "s", "idle").code == 0
    done = _halt(machine)
    assert done.code == 0, done.said
    assert _ORDERS in done.out
    assert "every stack of this user is halted by " in done.out
    _is_halted(machine)
    assert [unit for unit in machine.happened("exit") if unit in {"mm", "bf"}] == ["mm", "bf"]
    told = [json.loads(line) for line in (machine.folder / "told").read_text(encoding="utf-8").splitlines()]
    assert {event["unit"] for event in told} == {"mm", "broken"}
    assert all(event["alarm"] == "halt" and "the model is wrong" in event["text"] for event in told)
    for words in (("up", machine.file, "--foreground"), ("status", "s")):
        assert "the model is wrong" in machine.hftstack(*words).said
    assert _resume(machine).code == 0
    assert machine.hftstack("up", machine.file).code == 5
    machine.until_units(lambda units: units["mm"]["level"] == "ready")
    machine.hftstack("down", "s")
    assert [what for _, what, _ in machine.journal() if what in {"halt", "resume"}] == ["halt", "resume"]
    assert any(what == "resume" and ": mended; was halted by " in text for _, what, text in machine.journal())


def _stopped_supervisor(machine: Machine) -> None:
    os.kill(machine.supervisor(), signal.SIGSTOP)


def _dead_supervisor_and_stopped_guardian(machine: Machine) -> None:
    os.kill(machine.guardian(), signal.SIGSTOP)
    os.kill(machine.supervisor(), signal.SIGKILL)
    until(lambda: not lives(machine.supervisor()))


def _both_stopped(machine: Machine) -> None:
    os.kill(machine.guardian(), signal.SIGSTOP)
    os.kill(machine.supervisor(), signal.SIGSTOP)


def _both_dead(machine: Machine) -> None:
    machine.kill_supervisor()


def _both_dead_and_records_damaged(machine: Machine) -> None:
    machine.kill_supervisor()
    for name in ("deployment.json", "intent.json"):
        (machine.state / name).write_text("{", encoding="utf-8")


def _both_dead_and_records_lost(machine: Machine) -> None:
    _both_dead_and_records_damaged(machine)
    with suppress(FileNotFoundError):
        (machine.runtime / "units.json").unlink()


@pytest.mark.parametrize(
    "trouble",
    [
        _stopped_supervisor,
        _dead_supervisor_and_stopped_guardian,
        _both_stopped,
        _both_dead,
        _both_dead_and_records_damaged,
        _both_dead_and_records_lost,
    ],
)
def test_a_halt_works_without_a_supervisor_that_does(machine: Machine, trouble: Callable[[Machine], None]) -> None:
    machine.write(pair())
    machine.up()
    trouble(machine)
    done = _halt(machine)
    assert done.code == 0, done.said
    assert machine.left() == {}
    _is_halted(machine)
    assert _resume(machine).code == 0


@pytest.mark.parametrize("starts", [True, False])
def test_a_supervisor_obeys_a_latch_of_which_nobody_told_it(machine: Machine, starts: bool) -> None:  # noqa: FBT001 - of the table
    machine.write(pair())
    machine.up()
    guardian = machine.guardian()
    (machine.home / "state/_halt.json").write_text("", encoding="utf-8")
    connector = machine.pids()["bf"]
    assert connector is not None
    if starts:
        os.kill(connector, signal.SIGKILL)
    until(lambda: not lives(guardian))
    assert machine.left() == {}
    assert machine.happened("start").count("bf") == 1
    assert _resume(machine).code == 0


def test_a_halt_during_up_wins(machine: Machine) -> None:
    machine.write(services={"slow": {"command": ["sleep", "1000"], "ready": {"log": "never"}}})
    asked = machine.begin("up", machine.file)
    machine.until_units(lambda units: units["slow"]["pid"])
    done = _halt(machine)
    assert done.code == 0, done.said
    up = asked.done()
    assert up.code == 7, up.said
    assert "the model is wrong" in up.err
    assert machine.left() == {}


def test_a_halt_of_one_stack_leaves_the_other_running(machine: Machine) -> None:
    sleeper = {"services": {"rest": {"command": ["sleep", "1000"]}}}
    other = machine.folder / "t.yaml"
    machine.write(sleeper)
    machine.write(sleeper, file=other, name="t")
    machine.up()
    assert machine.hftstack("up", other).code == 0
    done = _halt(machine, "--stack", "s")
    assert done.code == 0, done.said
    assert machine.hftstack("status", "t").code == 0
    assert machine.hftstack("up", machine.file).code == 7
    assert machine.hftstack("up", other).code == 0
    assert machine.hftstack("status", "s").code == 5
    done = _resume(machine)
    assert done.code == 0
    assert "was not halted" in done.out
    assert "s stays down" in done.err
    assert _halt(machine).code == 0
    refused = _resume(machine, "--stack", "t")
    assert refused.code == 7
    assert "not halted by itself" in refused.err
    assert _resume(machine).code == 0
    assert machine.hftstack("up", machine.file).code == 7
    assert _resume(machine, "--stack", "s").code == 0
    machine.up()
    machine.down()


def test_a_halt_of_nothing_latches_and_says_so(machine: Machine) -> None:
    machine.write(pair())
    done = _halt(machine)
    assert done.code == 0, done.said
    assert "nothing was running" in done.out
    assert machine.hftstack("up", machine.file).code == 7
    again = _resume(machine)
    assert (again.code, "is released" in again.out) == (0, True)
    assert "was not halted" in _resume(machine).out


def test_a_latch_that_cannot_be_written_stops_everything_all_the_same(machine: Machine) -> None:
    machine.write(pair())
    machine.up()
    (machine.home / "state/._halt.json.new").mkdir()
    done = _halt(machine)
    assert done.code == 7, done.said
    assert "the latch cannot be written" in done.err
    assert "it halts all the same, without its reason" in done.err
    assert machine.left() == {}
    assert machine.hftstack("up", machine.file).code == 7
    assert _resume(machine).code == 0


def test_a_guardian_that_is_stopped_does_not_outlive_a_halt(machine: Machine) -> None:
    machine.write(services={"rest": {"command": ["sleep", "1000"]}})
    machine.up()
    os.kill(machine.guardian(), signal.SIGSTOP)
    done = _halt(machine)
    assert done.code == 0, done.said
    assert machine.left() == {}
    assert _resume(machine).code == 0
    machine.up()
    machine.down()
