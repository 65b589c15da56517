from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestrator.deployment.model import Alarm, Hook, Hooks, Notify
from orchestrator.supervise import alarms
from orchestrator.supervise import graph as graphs
from orchestrator.supervise.hooks import Hooks as Runner
from orchestrator.supervise.process import session_members
from orchestrator.supervise.unit import Exited
from tests.children import until
from tests.supervise.specs import bot, connector, deployment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _hook(line: str, *, timeout: float = 20.0) -> Hook:
    return Hook(("/bin/sh", "-c", line), "/", (("PATH", "/usr/bin:/bin"),), timeout)


def _event(number: int = 0) -> dict[str, Any]:
    return {"at": "2026-01-01T00:00:00.000Z", "unit": "bf", "what": "failed", "text": str(number), "pid": None}


def _run(tell: Callable[[Runner], None], *, close: bool = False) -> list[tuple[str | None, str, str]]:
    """Run what `tell` tells, wait until it is over, and return what was noted."""
    notes: list[tuple[str | None, str, str]] = []
    spared: set[int] = set()

    async def go() -> None:
        runner = Runner(spared, lambda unit, what, text: notes.append((unit, what, text)))
        tell(runner)
        if close:
            await runner.close()
        while spared:  # noqa: ASYNC110 - polls processes
            await asyncio.sleep(0.005)
        await runner.close()

    asyncio.run(go())
    return notes


def test_a_hook_reads_the_event_as_one_json_object(tmp_path: Path) -> None:
    file = tmp_path / "event"
    assert _run(lambda runner: runner.tell(_hook(f"cat >{file}"), _event(7)), close=True) == []
    assert json.loads(file.read_text()) == _event(7)
    assert file.read_text().count("\n") == 1


def test_one_that_fails_hangs_or_does_not_exist_is_noted_once() -> None:
    missing = replace(_hook(""), argv=("/no/such",))

    def tell(runner: Runner) -> None:
        runner.tell(_hook("exit 3"), _event())
        runner.tell(_hook("sleep 1000", timeout=0.2), _event())
        runner.tell(missing, _event())
        runner.tell(replace(missing, cwd="/no/such"), _event())

    notes = sorted(text for unit, what, text in _run(tell, close=True) if (unit, what) == ("bf", "hook"))
    assert notes == [
        "/bin/sh, told of failed: exit 3",
        "/bin/sh, told of failed: still alive after its timeout of 0.2 s",
        "/no/such, told of failed: exit 126: it, or its folder, cannot be used",
        "/no/such, told of failed: exit 127: is it there?",
    ]


def test_a_storm_is_run_a_few_at_a_time_and_what_is_too_much_is_dropped_and_counted(tmp_path: Path) -> None:
    go, running, told = tmp_path / "go", tmp_path / "running", tmp_path / "told"
    running.mkdir()
    line = f"touch {running}/$$; until test -e {go}; do sleep 0.01; done; cat >>{told}"

    def storm(runner: Runner) -> None:
        for number in range(200):
            runner.tell(_hook(line), _event(number))
        asyncio.get_running_loop().call_later(0.5, go.touch)

    notes = _run(storm, close=True)
    events = [json.loads(text) for text in told.read_text().splitlines()]
    assert len(events) == 68
    assert {event["text"] for event in events} == {str(number) for number in range(68)}
    assert [(unit, what) for unit, what, _ in notes] == [(None, "hook")] * 2
    assert "the next ones are dropped" in notes[0][2]
    assert notes[1][2].startswith("132 events were dropped")


def test_no_more_than_a_few_run_at_once(tmp_path: Path) -> None:
    line = f"touch {tmp_path}/$$; sleep 1000"

    def tell(runner: Runner) -> None:
        for _ in range(10):
            runner.tell(_hook(line, timeout=1.0), _event())

    _run(tell, close=True)
    assert 1 <= len(list(tmp_path.iterdir())) <= 8


def test_who_leaves_waits_for_a_hook_no_longer_than_its_timeout(tmp_path: Path) -> None:
    session = tmp_path / "session"
    line = f"trap '' TERM; echo $$ >{session}; sleep 1000; :"
    notes = _run(lambda runner: runner.tell(_hook(line, timeout=0.5), _event()), close=True)
    assert len(notes) <= 1
    until(lambda: session_members(int(session.read_text())) == [])


def _failed(*, on: tuple[Alarm, ...] | None) -> tuple[Any, Any]:
    mine, ours = _hook("mine"), _hook("ours")
    bf = replace(connector("bf"), hooks=Hooks(on_failed=mine))
    stack = replace(deployment(bf, bot("mm")), notify=None if on is None else Notify(ours, on))
    graph, _ = graphs.apply(graphs.Graph(), stack, 100.0)
    graph, _ = graphs.step(graph, "mm", Exited(3), 101.0)
    return stack, graph


def _hooks(what: str, unit: str | None, *, on: tuple[Alarm, ...] | None = tuple(Alarm)) -> list[str]:
    stack, graph = _failed(on=on)
    return [hook.argv[2] for hook in alarms.hooks(_event() | {"what": what, "unit": unit}, stack, graph)]


def test_a_failure_is_for_the_units_own_hook_and_for_whom_the_stack_notifies() -> None:
    assert _hooks("failed", "bf") == ["mine", "ours"]
    assert _hooks("refused", "bf") == ["mine", "ours"]
    assert _hooks("failed", "mm") == ["ours"]
    assert _hooks("failed", "bf", on=(Alarm.UNCLEAN,)) == ["mine"]
    assert _hooks("failed", "bf", on=None) == ["mine"]
    assert _hooks("failed", "gone") == ["ours"]


def test_other_alarms_are_for_whom_the_stack_notifies_of_them() -> None:
    for alarm in ("unclean", "stale", "gap", "unsupervised"):
        assert _hooks(alarm, None if alarm == "unsupervised" else "bf") == ["ours"]
        assert _hooks(alarm, "bf", on=(Alarm.FAILED,)) == []
    assert _hooks("restart", "bf") == []
    assert _hooks("hook", None) == []


def test_what_a_halt_makes_of_a_unit_is_for_its_hook_once_it_is_down_and_for_nothing_on_the_way() -> None:
    halts = replace(connector("bf"), hooks=Hooks(on_halt=_hook("halts")))
    stack = deployment(halts)
    graph, _ = graphs.halt(graphs.apply(graphs.Graph(), stack, 100.0)[0], "halted", 101.0)

    def told(what: str, unit: str | None = "bf") -> list[str]:
        return [hook.argv[2] for hook in alarms.hooks(_event() | {"what": what, "unit": unit}, stack, graph)]

    assert told("stopped") == told("lost") == ["halts"]
    assert told("stopping") == told("exit") == told("killed") == told("stopped", None) == []


def test_the_message_is_the_event_with_what_it_is_about() -> None:
    stack, graph = _failed(on=None)
    about = {"stack": "test", "file": "/test.yaml", "alarm": "failed", "kind": "bot", "state": "failed"}
    assert alarms.message(_event() | {"unit": "mm"}, stack, graph) == _event() | {"unit": "mm"} | about
    event = _event() | {"unit": None, "what": "unsupervised"}
    assert alarms.message(event, stack, graph) == event | about | {"alarm": "unsupervised", "kind": None, "state": None}
