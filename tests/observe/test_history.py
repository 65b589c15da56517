"""What was done to a stack, from the events of its journal."""

from __future__ import annotations

from typing import Any

from orchestrator.observe.history import Deed, Step, as_json, deeds, lines
from orchestrator.supervise.event import Event

SECOND = 1_000_000_000
_EDGES = {"base": [], "bf": ["base"], "by": ["base"], "mm": ["bf", "by"]}


def _event(second: float, unit: str | None, what: str, text: str = "", **data: Any) -> Event:  # noqa: ANN401 - JSON
    return Event(round(second * SECOND), unit, what, text, None, data or None)


def _up(second: float, **more: Any) -> Event:  # noqa: ANN401 - JSON
    return _event(second, None, "up", user="alice", commit="4f1c09ae" * 5, dirty=True, edges=_EDGES, **more)


def _path(deed: Deed) -> list[tuple[str, float]]:
    return [(step.unit, step.seconds) for step in deed.path]


def test_the_path_of_a_start_is_the_chain_that_was_there_last() -> None:
    ups = [("base", 11.0), ("by", 11.5), ("bf", 13.0), ("mm", 13.25)]
    (deed,) = deeds([_up(10), *(_event(at, unit, "up") for unit, at in ups), _event(13.5, None, "settled")])

    assert (deed.what, deed.user, deed.dirty, deed.seconds, deed.blocked) == ("up", "alice", True, 3.5, None)
    assert _path(deed) == [("base", 1.0), ("bf", 2.0), ("mm", 0.25)]


def test_the_path_of_a_stop_goes_down_the_graph() -> None:
    exits = [("by", 20.1), ("mm", 25.0), ("bf", 25.5), ("base", 26.0)]
    stop = [_event(20, None, "stop", user="bob"), *(_event(at, unit, "exit") for unit, at in exits)]
    _, deed = deeds([_up(10), _event(11, None, "settled"), *stop, _event(26.5, None, "down")])

    assert (deed.what, deed.user, deed.commit, deed.seconds) == ("down", "bob", None, 6.5)
    assert _path(deed) == [("mm", 5.0), ("bf", 0.5), ("base", 0.5)]


def test_a_halt_that_was_journaled_late_is_found_at_its_time() -> None:
    events = [_up(1), _event(2, None, "settled"), _event(10.5, "mm", "exit"), _event(11, None, "down")]
    late = _event(10, None, "halt", "by carol", user="carol", reason="model")
    _, halt, resume = deeds([*events, late, _event(20, None, "resume", user="dave", reason="ok")])

    assert (halt.what, halt.user, halt.reason, halt.seconds, _path(halt)) == (
        "halt",
        "carol",
        "model",
        1.0,
        [("mm", 0.5)],
    )
    assert (resume.what, resume.reason, resume.seconds, resume.path) == ("resume", "ok", None, ())


def test_what_did_not_come_up_is_named() -> None:
    (deed,) = deeds([_up(1), _event(2, "base", "up"), _event(5, None, "settled", "not reached: bf, by")])

    assert as_json(deed)["blocked"] == ["bf", "by"]
    assert _path(deed) == [("base", 1.0)]


def test_a_deed_whose_end_nobody_saw_has_no_duration_and_no_path() -> None:
    first, second, _ = deeds(
        [_up(1), _event(2, "base", "up"), _up(50), _event(51, None, "stop"), _event(52, None, "settled")]
    )

    assert (first.seconds, first.path, second.seconds) == (None, (), None)


def test_edges_that_form_a_cycle_after_a_change_end_the_path() -> None:
    events = [_event(1, None, "up", edges={"a": ["b"], "b": ["a"]}), _event(2, "a", "up"), _event(2, "b", "up")]
    (deed,) = deeds([*events, _event(3, None, "settled")])

    assert len(deed.path) == 2


def test_an_order_names_its_units_and_has_a_path_too() -> None:
    restart = _event(10, None, "order", "restart bf", user="bob", verb="restart", units=["bf"])
    stop = _event(20, None, "order", "stop bf", user="bob", verb="stop", units=["bf"])
    ends = [_event(10.5, "mm", "exit"), _event(10.75, "bf", "exit"), _event(11, "bf", "up"), _event(12, "mm", "up")]
    exits = [_event(20.5, "mm", "exit"), _event(20.75, "bf", "exit")]
    _, first, second = deeds(
        [
            _up(1),
            _event(2, None, "settled"),
            restart,
            *ends,
            _event(12, None, "done"),
            stop,
            *exits,
            _event(21, None, "done"),
        ]
    )

    assert (first.what, first.units, first.user, first.seconds) == ("restart", ("bf",), "bob", 2.0)
    assert _path(first) == [("bf", 1.0), ("mm", 1.0)]
    assert (second.what, _path(second)) == ("stop", [("mm", 0.5), ("bf", 0.25)])
    assert list(lines([second], "text", None))[1].split("  ")[1] == "stop bf"


def test_it_reads_as_a_table() -> None:
    deed = Deed(
        1_700_000_000 * SECOND,
        "up",
        "alice",
        "4f1c09ae" * 5,
        dirty=True,
        plan="022f1ef2" * 8,
        seconds=1.3,
        path=(Step("bf", 0.06),),
    )
    halt = Deed(1_700_000_100 * SECOND, "halt", None, reason="model")

    assert list(lines([deed, halt], "text", None)) == [
        "AT                        WHAT  BY     COMMIT     PLAN      TOOK   WAITED FOR",
        "2023-11-14T22:13:20.000Z  up    alice  4f1c09ae+  022f1ef2  1.3 s  bf 0.06 s",
        "2023-11-14T22:15:00.000Z  halt  -      -          -         -      model",
    ]
    assert set(as_json(deed)) == {
        *("at", "what", "units", "user", "commit", "dirty", "plan", "reason", "seconds", "blocked", "path"),
    }
