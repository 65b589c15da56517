from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.children import until
from tests.integration.harness import lives

if TYPE_CHECKING:
    from tests.integration.harness import Machine

_FAILING = {"command": ["/bin/sh", "-c", "exit 3"], "ready": {"log": "never"}, "restart": {"policy": "never"}}


def _told(machine: Machine) -> list[dict[str, Any]]:
    """Return the events that hooks have written to the file `told`."""
    file = machine.folder / "told"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def _teller(machine: Machine) -> str:
    return machine.script("tell.sh", f"cat >>{machine.folder}/told")


def test_a_failed_unit_is_told_to_its_own_hook_and_to_whom_the_stack_notifies(machine: Machine) -> None:
    tell = _teller(machine)
    own = machine.script(
        "own.sh", f"env >{machine.folder}/env; pwd >{machine.folder}/cwd; exec cat >{machine.folder}/own"
    )
    bad = {**_FAILING, "hooks": {"on_failed": [own]}}
    machine.write(services={"bad": bad}, notify={"command": [tell], "on": ["failed"], "timeout": "5s"})
    assert machine.hftstack("up", machine.file, env={"SECRET_OF_THE_CALLER": "x"}).code == 5
    until(lambda: _told(machine) and (machine.folder / "own").exists() and (machine.folder / "own").read_text())
    (event,) = _told(machine)
    assert json.loads((machine.folder / "own").read_text()) == event
    about = {key: event[key] for key in ("unit", "what", "alarm", "kind", "state", "stack", "file")}
    assert about == {
        "unit": "bad",
        "what": "failed",
        "alarm": "failed",
        "kind": "service",
        "state": "failed",
        "stack": "s",
        "file": str(machine.file),
    }
    assert (event["text"], event["at"][-1]) == ("exit 3", "Z")
    environ = (machine.folder / "env").read_text(encoding="utf-8")
    assert "HFTSTACK_UNIT" not in environ
    assert "SECRET_OF_THE_CALLER" not in environ
    assert (machine.folder / "cwd").read_text(encoding="utf-8").strip() == str(machine.folder)
    machine.down()
    assert machine.happened("hook") == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("sleep 1000", "still alive after its timeout of 1 s"),
        ("trap '' TERM; while :; do sleep 0.1; done", "still alive after its timeout of 1 s"),
        ("exec <&-; exit 9", "exit 9"),
        ("exec yes flood", "still alive after its timeout of 1 s"),
        ('rm -- "$0"; exec no-such-program', "exit 127: is it there?"),
    ],
    ids=["hangs", "ignores SIGTERM", "closes stdin and fails", "floods", "does not exist"],
)
def test_a_hook_that_misbehaves_is_journaled_once_and_disturbs_nothing(machine: Machine, line: str, said: str) -> None:
    hook = machine.script("hook.sh", line)
    machine.write(
        services={"bad": _FAILING, "good": {"command": ["sleep", "1000"]}},
        notify={"command": [hook], "on": ["failed"], "timeout": "1s"},
    )
    assert machine.hftstack("up", machine.file).code == 5
    good = machine.pids()["good"]
    until(lambda: machine.happened("hook"))
    told = [(unit, text) for unit, what, text in machine.journal() if what == "hook"]
    assert told == [("bad", f"{hook}, told of failed: {said}")]
    assert machine.pids()["good"] == good
    assert not any("hook.sh" in command for command in machine.processes().values())
    machine.down()


def test_a_storm_of_alarms_is_bounded_and_restarts_go_on(machine: Machine) -> None:
    count = 90
    hook = machine.script("slow.sh", "sleep 1000")
    machine.write(
        services={f"bad{number}": _FAILING for number in range(count)} | {"good": {"command": ["sleep", "1000"]}},
        notify={"command": [hook], "on": ["failed"], "timeout": "2s"},
    )
    up = machine.begin("up", machine.file)
    machine.until_units(lambda units: sum(unit["state"] == "failed" for unit in units.values()) == count)
    assert up.done().code == 5
    assert sum(command.startswith("sleep 1000") for command in machine.processes().values()) <= 5
    good = machine.pids()["good"]
    assert good is not None
    assert any(what == "hook" and "the next ones are dropped" in text for _, what, text in machine.journal())
    machine.down()
    dropped = [text for _, what, text in machine.journal() if what == "hook" and "events were dropped" in text]
    assert len(dropped) == 1


def test_a_bot_that_ends_uncleanly_at_down_is_told_before_the_supervisor_leaves(machine: Machine) -> None:
    tell = _teller(machine)
    bot = machine.script("bot.sh", "trap 'exit 7' TERM; while :; do sleep 0.02; done")
    machine.write(bots={"mm": {"command": [bot]}}, notify={"command": [tell], "on": ["unclean"], "timeout": "5s"})
    machine.up()
    assert machine.hftstack("down").code == 5
    (event,) = _told(machine)
    assert (event["unit"], event["alarm"], event["text"]) == ("mm", "unclean", "exit 7")


def _hanging(machine: Machine, timeout: str) -> int:
    """Bring a stack up whose hook hangs, and notes that it was asked to end; return the hook's pid."""
    pid, asked = machine.folder / "pid", machine.folder / "asked"
    hook = machine.script("slow.sh", f"trap 'touch {asked}' TERM; echo $$ >{pid}; while :; do sleep 0.05; done")
    machine.write(services={"bad": {**_FAILING, "hooks": {"on_failed": [hook], "timeout": timeout}}})
    assert machine.hftstack("up", machine.file).code == 5
    leader = int(until(lambda: pid.exists() and pid.read_text(encoding="utf-8")))
    assert lives(leader)
    return leader


def test_down_ends_no_hook_before_its_timeout_and_waits_for_it_no_longer(machine: Machine) -> None:
    leader = _hanging(machine, "3s")
    done = machine.down()
    assert "hooks are under way" in done.err
    assert (machine.folder / "asked").exists()
    assert not lives(leader)
    assert any("timeout of 3 s" in text for _, what, text in machine.journal() if what == "hook")


def test_a_down_that_is_in_a_hurry_waits_for_no_hook(machine: Machine) -> None:
    leader = _hanging(machine, "1h")
    machine.begin("down")
    until(lambda: any(what == "hook" and "under way" in text for _, what, text in machine.journal()))
    assert lives(leader)
    machine.hftstack("down", "--now")
    until(lambda: not lives(leader))
    assert machine.left() == {}


def test_the_next_supervisor_tells_that_nobody_supervised(machine: Machine) -> None:
    tell = _teller(machine)
    machine.write(services={"a": {"command": ["sleep", "1000"]}}, notify={"command": [tell], "on": ["unsupervised"]})
    machine.up()
    assert _told(machine) == []
    machine.kill_supervisor()
    machine.up()
    (event,) = until(lambda: _told(machine))
    assert (event["unit"], event["alarm"], event["kind"]) == (None, "unsupervised", None)
    assert "since 20" in event["text"]
    machine.down()
    machine.up()
    machine.down()
    assert len(_told(machine)) == 1
