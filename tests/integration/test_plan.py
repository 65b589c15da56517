"""A plan before money moves: it says what the next `up` does, and `up --plan` does nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.cargo import PAPER
from tests.integration.harness import pair

if TYPE_CHECKING:
    from tests.integration.harness import Machine

SECRET = "p-4711-not-to-be-seen"


def _planned(machine: Machine) -> dict[str, Any]:
    done = machine.hftstack("plan", machine.file, "--format", "json")
    assert done.code == 0, done.said
    found: dict[str, Any] = json.loads(done.out)
    return found


def _drift(machine: Machine) -> list[tuple[str | None, str]]:
    told = json.loads(machine.hftstack("status", "s", "--format", "json").out)
    return [(item["unit"], item["what"]) for item in told["drift"]]


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


def test_the_plan_of_some_units_says_what_up_of_them_does(machine: Machine) -> None:
    rest = {"command": ["sleep", "1000"]}
    machine.write(pair({"rate": 100}), services={"rest": rest, "idle": rest})
    machine.up()
    assert machine.hftstack("stop", "idle").code == 0
    before = machine.pids()
    machine.write(pair({"rate": 200}), services={"rest": {**rest, "cwd": "/"}, "new": rest})

    assert machine.hftstack("plan", machine.file, "brest").code == 2
    text = machine.hftstack("plan", machine.file, "bf", "--out", "a.plan")
    plan = json.loads((machine.folder / "a.plan").read_text())
    assert machine.hftstack("up", "--plan", "a.plan", "bf").code == 2
    done = machine.hftstack("up", "--plan", "a.plan")
    assert done.code == 0, done.said

    assert _steps(plan) == {
        "bf": ("change", "restarts"),
        "mm": ("restart", "restarts"),
        "rest": ("keep", "runs on"),
        "idle": ("keep", "stays down"),
        "new": ("add", "stays down"),
    }
    assert "new  service  add, stays down: it is not named" in text.out
    after = machine.pids()
    assert {name for name in before if before[name] == after[name]} == {"rest", "idle"}
    assert (after["idle"], after["new"]) == (None, None)


def test_other_code_of_a_bot_is_planned_told_as_drift_and_restarts_it(machine: Machine) -> None:
    machine.script("bot.sh", "echo old; exec sleep 1000")
    machine.write(bots={"mm": {"command": ["/bin/sh", "bot.sh"]}}, services={"rest": {"command": ["sleep", "1000"]}})
    machine.up()
    before = machine.pids()
    assert machine.hftstack("plan", machine.file, "--exit-code", "--out", "a.plan").code == 0
    assert _drift(machine) == []

    machine.script("bot.sh", "echo new; exec sleep 1000")
    text = machine.hftstack("plan", machine.file, "--exit-code")
    assert text.code == 6
    assert "\n    code.bot.sh: " in text.out
    assert _drift(machine) == [("mm", "code")]
    refused = machine.hftstack("up", "--plan", "a.plan")
    assert refused.code == 7
    assert "mm: keep (runs on) was planned, now change (restarts)" in refused.err
    assert machine.pids() == before

    machine.up()
    after = machine.pids()
    assert {name for name in before if before[name] != after[name]} == {"mm"}
    assert _drift(machine) == []


def test_a_plan_says_what_has_to_be_built_and_which_rules_are_ignored_and_why(machine: Machine) -> None:
    address = "127.0.0.1:9"
    config = {"stream_url": f"ws://{address}/ws", "api_url": f"http://{address}", "api_key": "k", "secret": SECRET}
    bf = {"type": "binancefutures", "config": config, "ignore": {"empty-prefix": "nobody trades by hand here"}}
    machine.write(source={"path": str(PAPER)}, connectors={"bf": bf})
    done = machine.hftstack("plan", machine.file)
    shown = machine.hftstack("plan", machine.file, "--format", "markdown")

    assert done.code == 0, done.said
    assert "note: to be built: the programs of bf\n" in done.out
    assert f"note: ignored: empty-prefix at {machine.file}:" in done.out
    assert ": nobody trades by hand here\n" in done.out
    assert "- to be built: the programs of bf\n" in shown.out
    assert ": nobody trades by hand here\n" in shown.out
    assert SECRET not in done.said + shown.said
