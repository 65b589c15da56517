"""Who brought a stack up, from which commit, and what it waited for."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

from tests.integration.harness import pair

if TYPE_CHECKING:
    from tests.integration.harness import Machine


def _history(machine: Machine) -> list[dict[str, Any]]:
    machine.journal()
    done = machine.hftstack("history", "s", "--format", "json")
    assert done.code == 0, done.said
    return [json.loads(line) for line in done.out.splitlines()]


def _digest(machine: Machine, *units: str) -> str:
    done = machine.hftstack("plan", machine.file, *units, "--format", "json")
    assert done.code == 0, done.said
    return str(json.loads(done.out)["digest"])


def test_each_up_down_halt_and_resume_is_told_with_user_commit_and_path(machine: Machine) -> None:
    machine.write(pair())
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    for words in (("init", "-q"), ("add", "s.yaml"), (*who, "commit", "-q", "-m", "first")):
        subprocess.run([shutil.which("git") or "git", *words], cwd=machine.folder, check=True, capture_output=True)
    plan = _digest(machine)
    machine.up()
    machine.down()
    machine.up()
    assert machine.hftstack("restart", "mm").code == 0
    assert machine.hftstack("halt", "--reason", "the model is wrong").code == 0
    assert machine.hftstack("resume", "--reason", "mended").code == 0

    up, down, _, restart, halt, resume = _history(machine)
    assert [deed["what"] for deed in (up, down, halt, resume)] == ["up", "down", "halt", "resume"]
    assert len({deed["user"] for deed in (up, down, halt, resume)}) == 1
    assert (restart["what"], restart["units"], restart["user"]) == ("restart", ["mm"], up["user"])
    assert [step["unit"] for step in restart["path"]] == ["mm"]
    assert len(up["commit"]) == 40
    assert (up["dirty"], up["plan"], up["blocked"], down["commit"]) == (False, plan, [], None)
    assert [step["unit"] for step in up["path"]] == ["bf", "mm"]
    assert [step["unit"] for step in down["path"]] == ["mm", "bf"]
    assert [step["unit"] for step in halt["path"]] == ["mm", "bf"]
    assert sum(step["seconds"] for step in up["path"]) <= up["seconds"]
    assert (halt["reason"], resume["reason"], resume["seconds"]) == ("the model is wrong", "mended", None)
    assert "bf " in machine.hftstack("history", "s").out
    assert machine.hftstack("history", "s", "--since", "0s").out == "nothing was done\n"


def test_a_supervisor_in_the_foreground_tells_who_became_it(machine: Machine) -> None:
    machine.write(services={"rest": {"command": ["sleep", "1000"]}})
    plan = _digest(machine)
    running = machine.begin("up", machine.file, "--foreground")
    machine.until_units(lambda units: units["rest"]["level"] == "ready")
    machine.hftstack("wait", "s")
    running.process.terminate()
    assert running.done().code == 0
    up, down = _history(machine)
    assert (up["what"], bool(up["user"]), up["blocked"], up["plan"]) == ("up", True, [], plan)
    assert (down["what"], down["user"]) == ("down", None)


def test_an_up_is_journaled_with_the_digest_that_the_plan_before_it_had(machine: Machine) -> None:
    rest = {"command": ["sleep", "1000"]}
    machine.write(pair({"rate": 100}), services={"rest": rest})
    plans = [_digest(machine, "rest")]
    assert machine.hftstack("up", machine.file, "rest").code == 0
    plans.append(_digest(machine))
    machine.up()
    machine.write(pair({"rate": 200}), services={"rest": {**rest, "stop": {"grace": "9s"}}})
    plans.append(_digest(machine, "rest"))
    assert machine.hftstack("up", machine.file, "rest").code == 0
    plans.append(_digest(machine))
    shown = machine.hftstack("plan", machine.file).out.splitlines()[-1]
    machine.kill_supervisor()
    assert _digest(machine) == plans[-1]
    machine.up()
    plans.append(_digest(machine))
    machine.up()

    assert len(set(plans)) == 5
    assert [deed["plan"] for deed in _history(machine)] == plans
    assert shown.endswith(f"  plan {plans[3][:8]}")
    assert f"  {plans[3][:8]}  " in machine.hftstack("history", "s").out


def test_an_up_whose_plan_cannot_be_told_goes_on_without_its_digest(machine: Machine) -> None:
    machine.write(services={"rest": {"command": ["sleep", "1000"]}})
    machine.up()
    pids = machine.pids()
    (machine.state / "deployment.json").write_text("{")
    assert machine.hftstack("plan", machine.file).code == 7
    machine.up()
    assert machine.pids() == pids
    assert [bool(deed["plan"]) for deed in _history(machine)] == [True, False]
