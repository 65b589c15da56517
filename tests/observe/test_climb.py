from __future__ import annotations

from orchestrator.deployment.model import Kind
from orchestrator.observe.climb import Climb
from tests.observe.objects import spec


def _climb() -> Climb:
    return Climb((spec("bf"), spec("mm", Kind.BOT, "bf")))


def _hear(
    climb: Climb, what: str, unit: str | None = "bf", text: str = "", at: str = "00.000"
) -> tuple[str | None, str | None]:
    return climb.hear({"at": f"2026-03-01T12:00:{at}Z", "unit": unit, "what": what, "text": text, "pid": None})


def test_a_unit_that_got_there_is_a_line_with_its_level_and_its_time() -> None:
    climb = _climb()

    assert _hear(climb, "start") == (None, None)
    assert _hear(climb, "level", text="connected", at="00.060") == (None, None)
    assert _hear(climb, "up", at="00.060") == ("bf  connected  0.06 s", None)


def test_a_dependent_names_what_it_is_on() -> None:
    climb = _climb()
    _hear(climb, "start", "mm")
    _hear(climb, "level", "mm", "ready")

    assert _hear(climb, "up", "mm", at="01.500")[0] == "mm  ready      1.5 s    on bf"


def test_retries_are_counted_in_the_line_and_not_told_one_by_one() -> None:
    climb = _climb()
    _hear(climb, "start")
    assert _hear(climb, "retry", text="channel still being cleaned up, exit 1") == (None, None)
    assert climb.waiting().startswith("bf → connected (retry 1)")
    _hear(climb, "retry", text="channel still being cleaned up, exit 1")
    _hear(climb, "start")
    _hear(climb, "level", text="connected")

    assert _hear(climb, "up", at="00.500")[0] == (
        "bf  connected  0.50 s   2 retries (channel still being cleaned up, exit 1)"
    )


def test_what_goes_wrong_is_remarked_on_at_once() -> None:
    climb = _climb()

    assert _hear(climb, "failed", text="exit 1") == (None, "bf  failed: exit 1")
    assert _hear(climb, "backoff", "mm", "exit 1; next start in 0.1 s") == (
        None,
        "mm  backoff: exit 1; next start in 0.1 s",
    )
    assert _hear(climb, "exit", text="exit 1") == (None, None)


def test_what_is_not_there_yet_is_named_with_what_it_waits_for() -> None:
    climb = _climb()
    assert climb.waiting() == "bf → connected; mm waits for bf"
    _hear(climb, "up")
    assert climb.waiting() == "mm → ready"
    _hear(climb, "up", "mm")
    assert climb.waiting() == ""


def test_a_unit_that_ends_again_is_waited_for_again() -> None:
    climb = _climb()
    _hear(climb, "up")
    _hear(climb, "exit", text="exit 1")

    assert climb.waiting() == "bf → connected; mm waits for bf"
    assert climb.climbed == ("bf",)


def test_events_of_the_stack_itself_and_of_strangers_are_no_lines() -> None:
    climb = _climb()

    assert _hear(climb, "supervised", None) == (None, None)
    assert _hear(climb, "failed", "removed-unit") == (None, None)


def test_what_is_up_already_is_not_waited_for() -> None:
    climb = Climb((spec("bf"), spec("mm", Kind.BOT, "bf")), ["bf"])

    assert climb.waiting() == "mm → ready"
    _hear(climb, "exit")
    assert climb.waiting() == "bf → connected; mm waits for bf"


def test_a_dependency_of_which_nothing_is_told_is_not_waited_for() -> None:
    assert Climb((spec("mm", Kind.BOT, "bf"),)).waiting() == "mm → ready"
