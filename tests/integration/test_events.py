"""events, without a supervisor and over several of them."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

from tests.children import until
from tests.integration.harness import pair

if TYPE_CHECKING:
    from tests.integration.harness import Machine


def _told(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def _until_another(machine: Machine, supervisor: int) -> None:
    until(lambda: machine.supervisor() != supervisor)


def test_what_happened_is_told_after_the_stack_is_down_too(machine: Machine) -> None:
    machine.write(pair())
    machine.up()
    machine.down()
    done = machine.hftstack("events", "s", "--format", "json")
    assert done.code == 0
    told = _told(done.out)
    assert all(set(event) == {"at", "unit", "what", "text", "pid"} for event in told)
    assert [(event["unit"], event["what"], event["text"]) for event in told] == machine.journal()
    assert [event["at"] for event in told] == sorted(event["at"] for event in told)

    of_mm = _told(machine.hftstack("events", "s", "--unit", "mm", "--tail", "2", "--format", "json").out)
    assert [(event["unit"], event["what"]) for event in of_mm] == [("mm", "exit"), ("mm", "stopped")]
    since = _told(machine.hftstack("events", "s", "--since", told[3]["at"], "--format", "json").out)
    assert since == [event for event in told if event["at"] >= told[3]["at"]]
    assert machine.hftstack("events", "s", "--since", "2999-01-01").out == ""
    text = machine.hftstack("events", "s", "--unit", "mm", "-n", "1").out
    assert text.split()[1:] == ["mm", "stopped", "down"]


def test_a_unit_that_nobody_knows_and_a_time_that_is_none_are_mistakes(machine: Machine) -> None:
    machine.write(pair())
    machine.up()
    machine.down()
    done = machine.hftstack("events", "s", "--unit", "mmm")
    assert done.code == 2
    assert "s has no unit mmm\n    did you mean mm?" in done.err
    for verb in ("events", "logs"):
        done = machine.hftstack(verb, "--since", "yesterday")
        assert done.code == 2
        assert "'yesterday' is neither an instant such as" in done.err
    assert machine.hftstack("events", "nope").code == 2


def test_following_goes_over_the_death_of_supervisors_without_losing_or_repeating_an_event(machine: Machine) -> None:
    machine.write(pair())
    machine.up()
    follow = machine.begin("events", "-f", "--since", "1h", "--format", "json")
    until(lambda: '"up"' in follow.told())
    for _ in range(2):
        supervisor = machine.supervisor()
        os.kill(supervisor, signal.SIGKILL)
        _until_another(machine, supervisor)
        machine.until_units(lambda units: units["mm"]["state"] == "up")
    assert machine.hftstack("restart", "bf").code == 0
    machine.kill_supervisor()
    machine.up()
    machine.down()
    everything = machine.journal()
    until(lambda: len(follow.told().splitlines()) >= len(everything))
    follow.process.send_signal(signal.SIGINT)
    done = follow.done()
    assert (done.code, done.err) == (130, "")
    assert [(event["unit"], event["what"], event["text"]) for event in _told(done.out)] == everything


def test_following_begins_with_the_last_ones(machine: Machine) -> None:
    machine.write(pair())
    machine.up()
    before = machine.journal()
    follow = machine.begin("events", "-f", "--format", "json")
    until(lambda: len(follow.told().splitlines()) >= 10)
    follow.process.send_signal(signal.SIGINT)
    told = [(event["unit"], event["what"], event["text"]) for event in _told(follow.done().out)]
    assert told[:10] == before[-10:]
    machine.down()


def test_logs_are_followed_over_restarts_of_the_unit_and_of_the_supervisor(machine: Machine) -> None:
    talker = machine.script("talker", 'echo "start $$"; while true; do sleep 0.05; echo "of $$"; done')
    machine.write(services={"talker": {"command": [talker]}})
    machine.up()
    first = machine.pids()["talker"]
    follow = machine.begin("logs", "-f")
    until(lambda: f"of {first}" in follow.told())
    supervisor = machine.supervisor()
    os.kill(supervisor, signal.SIGKILL)
    _until_another(machine, supervisor)
    machine.until_units(lambda units: units["talker"]["state"] == "up")
    assert machine.hftstack("restart", "talker").code == 0
    second = machine.pids()["talker"]
    until(lambda: f"of {second}" in follow.told())
    follow.process.send_signal(signal.SIGINT)
    done = follow.done()
    assert (done.code, done.err) == (130, "")
    assert done.out.count(f"start {second}\n") == 1
    lines = done.out.splitlines()
    assert lines == sorted(lines, key=lambda line: line.split()[1] == str(second))
    machine.down()
