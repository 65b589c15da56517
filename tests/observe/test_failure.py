from __future__ import annotations

import pytest

from orchestrator.deployment.model import Endpoint, Kind
from orchestrator.observe.failure import ending, explain
from tests.observe.objects import spec, unit


def test_a_unit_that_died_is_told_with_its_end_its_words_and_what_to_try() -> None:
    failed = unit(
        state="failed", level=None, pid=None, exit=1, restarts=3, why="exit 1; 3 restarts are the limit", log="/l"
    )
    words = ["starting", "This connector doesn't exist."]

    assert explain(failed, spec(), words, stack="prod") == [
        "bf: connected not reached",
        "    state  failed, exit 1, 3 restarts",
        "    why    exit 1; 3 restarts are the limit",
        "    wrote  | starting",
        "           | This connector doesn't exist.",
        "    try    its type is not compiled in: name the cargo feature in `features:`",
        "    more   hftstack logs -s prod bf",
    ]


def test_a_unit_that_runs_on_is_told_with_the_rung_it_is_on() -> None:
    stuck = unit(state="starting", level="live", reached=False, why="not connected within 3 s", log="/l")

    assert explain(stuck, spec(streams=(Endpoint("h", 1),)), [], stack="prod") == [
        "bf: connected not reached",
        "    state  starting, got as far as live, pid 41213 runs on",
        "    why    not connected within 3 s",
        "    try    its channel is open, h:1 is not connected: check the URL and the network",
        "    wrote  nothing",
    ]


def test_a_unit_that_never_started_names_what_it_waits_for() -> None:
    waiting = unit("mm", "bot", state="waiting", level=None, pid=None, log=None, waits_for=["bf"], reached=False)

    assert explain(waiting, spec("mm", Kind.BOT, "bf"), [], stack="prod") == [
        "mm: ready not reached",
        "    state  waiting",
        "    waits  for bf",
    ]


@pytest.mark.parametrize(
    ("code", "text"), [(0, "exit 0"), (3, "exit 3"), (-9, "ended by SIGKILL"), (-63, "ended by signal 63")]
)
def test_an_end_is_an_exit_code_or_a_signals_name(code: int, text: str) -> None:
    assert ending(code) == text
