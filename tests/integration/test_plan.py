"""A plan before money moves: it says what the next `up` does, and `up --plan` does nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.integration.harness import pair

if TYPE_CHECKING:
    from tests.integration.harness import Machine

SECRET = "p-4711-not-to-be-seen"


def _planned(machine: Machine) -> dict[str, Any]:
    done = machine.hftstack("plan", machine.file, "--format", "json")
    assert done.code == 0, done.said
    found: dict[str, Any] = json.loads(done.out)
    return found


def _steps(plan: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {step["unit"]: (step["action"], step["process"]) for step in plan["steps"]}


def test_the_next_up_does_what_the_plan_says_and_nothing_else(machine: Machine) -> None:
    rest = {"command": ["sleep", "1000"]}
    machine.write(pair({"rate": 100}), services={"rest": rest, "gone": rest})
    assert set(_steps(_planned(machine)).values()) == {("add", "starts")}
    machine.up()
    assert machine.hftstack("plan", machine.file, "--exit-code").code == 0
    before = machine.pids()

    sections = pair({"rate": 200}, env={"TOKEN": SECRET})
    machine.write(sections, services={"rest": {**rest, "stop": {"grace": "9s"}}, "new": rest})
    text = machine.hftstack("plan", machine.file, "--exit-code", "--out", "a.plan")
    plan = _planned(machine)
    assert text.code == 6
    assert "config.rate: 100 -> 200" in text.out
    assert SECRET not in text.said + json.dumps(plan)
    assert machine.pids() == before
    done = machine.hftstack("up", "--plan", "a.plan")
    assert done.code == 0, done.said

    after = machine.pids()
    assert _steps(plan) == {
        "bf": ("change", "restarts"),
        "mm": ("change", "restarts"),
        "rest": ("change", "runs on"),
        "new": ("add", "starts"),
        "gone": ("remove", "stops"),
    }
    assert {name for name in before if name in after and before[name] == after[name]} == {"rest"}
    assert set(after) == {"bf", "mm", "rest", "new"}
    machine.journal()
    told = json.loads(machine.hftstack("history", "s", "--format", "json").out.splitlines()[-1])
    assert told["plan"] == plan["digest"]

    again = machine.hftstack("up", "--plan", "a.plan")
    assert again.code == 7
    assert "was planned, now keep (runs on)" in again.err
    assert machine.pids() == after


def test_a_stack_that_nobody_supervises_is_planned_against_what_runs(machine: Machine) -> None:
    machine.write(pair())
    machine.up()
    machine.kill_supervisor()

    machine.write(pair(stop={"grace": "3s"}))

    assert _steps(_planned(machine)) == {"bf": ("keep", "runs on"), "mm": ("change", "runs on")}
