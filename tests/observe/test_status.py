from __future__ import annotations

from typing import Any

import pytest

from orchestrator.observe.status import is_well, lines, seconds, unverified
from tests.observe.objects import channel, status, unit

_NOON = seconds("2026-03-01T12:00:00.000Z")


def _lines(found: dict[str, Any], *, width: int | None = None, colour: bool = False) -> list[str]:
    return lines(found, now=_NOON + 7500, width=width, colour=colour)


def _remark(told: dict[str, Any]) -> str:
    head, row = _lines(status(told))
    return row[head.index("CHANNEL") :]


def test_a_stack_reads_as_a_table() -> None:
    found = status(
        unit(level="fresh", restarts=1, channel=channel()), unit("mm", "bot", pid=41977, depends_on=["bf", "by"])
    )

    assert _lines(found) == [
        "UNIT  KIND       STATE  LEVEL  PID    FOR    RESTARTS  CHANNEL",
        "bf    connector  up     fresh  41213  2h05m  1         212/s, 1 bot, lag 3",
        "mm    bot        up     ready  41977  2h05m  0         on bf, by",
    ]


def test_a_unit_that_runs_without_a_log_is_told() -> None:
    *_, told = _lines(status(unit("mm", "bot", log=None), unit("by", log=None, external=True)))
    assert told == "mm: its output goes nowhere: no room for a log; `hftstack restart` gives it one"


def test_a_bot_that_does_not_read_is_said_to_be_behind() -> None:
    links = [{"pid": 1, "written": 9000, "lag": 4821}, {"pid": 2, "written": 9000, "lag": 999}]
    found = status(
        unit(level="fresh", channel=channel(bots=links)),
        unit("slow", "bot", pid=1, depends_on=["bf"]),
        unit("mm", "bot", pid=2, depends_on=["bf"]),
    )
    head, _, slow, mm = _lines(found)
    assert slow[head.index("CHANNEL") :] == "on bf, 4821 messages behind on bf"
    assert mm[head.index("CHANNEL") :] == "on bf"


@pytest.mark.parametrize(
    ("told", "remark"),
    [
        ({"channel": channel()}, "212/s, 1 bot, lag 3"),
        (
            {"channel": channel(bots=[{"pid": 1, "written": 9, "lag": 0}, {"pid": 2, "written": 9, "lag": 7}])},
            "212/s, 2 bots, lag 7",
        ),
        ({"channel": channel(rate=None)}, "1 bot, lag 3"),
        ({"channel": channel(bots=[])}, "no bot"),
        ({"channel": channel(silent=None)}, "no message yet"),
        ({"channel": channel(silent=14.2)}, "no message for 14 s"),
        ({"channel": channel(), "proven": False}, "212/s, 1 bot, lag 3, stream unproven"),
        ({"channel": channel(), "proven": True}, "212/s, 1 bot, lag 3"),
        ({"channel": channel(verdict="released", detail="bf/ToBot has no port")}, "released: bf/ToBot has no port"),
        ({"channel": channel(verdict=None, bots=[])}, "not seen yet"),
        (
            {"channel": channel(verdict="unverified", detail="version 0.99")},
            "unverified: version 0.99, 212/s, 1 bot, lag 3",
        ),
        (
            {
                "channel": channel(
                    verdict="unverified",
                    detail="version 0.99",
                    rate=None,
                    silent=None,
                    bots=[{"pid": 7, "written": None, "lag": None}, {"pid": 8, "written": None, "lag": None}],
                )
            },
            "unverified: version 0.99, used by 7, 8",
        ),
        (
            {"channel": channel(verdict="unverified", detail="cannot look", rate=None, silent=None, bots=[])},
            "unverified: cannot look, no bot can be seen",
        ),
        ({"kind": "bot", "depends_on": ["x"], "proven": False}, "on x, unproven"),
        ({"state": "waiting", "reached": False, "waits_for": ["x", "y"]}, "waits for x, y"),
        ({"state": "waiting", "reached": False, "waits_for": ["x"], "why": "x restarted"}, "waits for x (x restarted)"),
        ({"state": "failed", "reached": False, "why": "exit 1"}, "exit 1: hftstack start bf"),
        (
            {"state": "failed", "reached": False, "why": "SIGKILL", "policy": "never"},
            "SIGKILL, not restarted, its policy is never: hftstack start bf",
        ),
        (
            {"state": "backoff", "reached": False, "why": "SIGKILL", "next_start": "2026-03-01T14:05:06.400Z"},
            "SIGKILL; next start in 6.4 s",
        ),
        ({"state": "backoff", "reached": False, "why": "exit 1", "channel": channel()}, "exit 1"),
        ({"state": "stopped", "exit": 0}, "exit 0"),
        ({"state": "stopped", "unclean": "SIGKILL after 5 s"}, "SIGKILL after 5 s"),
        ({"state": "starting", "reached": False, "why": "not connected within 10 s"}, "not connected within 10 s"),
    ],
)
def test_the_last_column_says_what_matters(told: dict[str, Any], remark: str) -> None:
    assert _remark(unit(**told)) == remark


def test_an_unverified_channel_is_a_warning_that_names_what_cannot_be_known() -> None:
    units = [
        unit(channel=channel(verdict="unverified", detail="version 0.99")),
        unit("by", channel=channel()),
        unit("mm", "bot", depends_on=["bf"], proven=False),
        unit("nn", "bot", depends_on=["by"]),
    ]
    assert unverified(units) == [
        "bf runs unverified: version 0.99, mm counted as attached unproven; messages not watched"
    ]
    assert unverified(units[1:]) == []


def test_a_silent_channel_names_the_bots_that_are_blind() -> None:
    rows = _lines(
        status(unit(channel=channel(silent=20.0)), unit("mm", "bot", depends_on=["bf"]), unit("other", "bot"))
    )

    assert rows[1].endswith("no message for 20 s, bot mm blind")


def test_a_channel_that_was_just_opened_makes_no_bot_blind_yet() -> None:
    bf = unit(channel=channel(silent=None), since="2026-03-01T14:04:57.000Z")
    rows = _lines(status(bf, unit("mm", "bot", depends_on=["bf"])))

    assert rows[1].endswith("no message yet")


def test_a_unit_that_does_not_run_has_no_pid_and_no_level() -> None:
    row = _lines(status(unit(state="stopped", level=None, pid=None, since=None)))[1]

    assert row.split() == ["bf", "connector", "stopped", "-", "-", "-", "0"]


def test_a_narrow_terminal_keeps_name_state_and_remark() -> None:
    head, row = _lines(status(unit(channel=channel())), width=40)

    assert head.split() == ["UNIT", "STATE", "LEVEL", "CHANNEL"]
    assert row == "bf    up     connected  212/s, 1 bot, l…"


def test_colour_says_the_same_words() -> None:
    found = status(unit(), unit("by", state="failed", reached=False, why="exit 1"), supervised=False)
    coloured = _lines(found, colour=True)

    assert coloured[1] == f"\x1b[32m{_lines(found)[1]}\x1b[0m"
    assert coloured[2] == f"\x1b[31m{_lines(found)[2]}\x1b[0m"


def test_units_without_a_supervisor_are_called_so() -> None:
    assert _lines(status(unit(), supervised=False))[-1] == (
        "prod runs without a supervisor, nothing heals it: hftstack up /srv/prod.yaml takes it over"
    )


def test_a_stack_that_is_down_is_called_so() -> None:
    found = status(unit(state="stopped", pid=None), supervised=False)

    assert _lines(found)[-1] == "prod is down: hftstack up /srv/prod.yaml starts it"


def test_a_stack_of_which_nothing_is_deployed_has_no_table() -> None:
    assert _lines(status(supervised=False, file=None)) == ["nothing of prod is deployed: hftstack up FILE starts it"]


def test_a_stack_is_well_when_it_is_supervised_and_every_unit_is_where_it_should_be() -> None:
    assert is_well(status(unit()))
    assert not is_well(status(unit(), unit("by", reached=False)))
    assert not is_well(status(unit(), supervised=False))
    assert not is_well(status())


def test_a_halted_stack_says_why_who_when_and_how_it_is_released() -> None:
    halt = {"reason": "the model is wrong", "user": "alice", "at": "2026-03-01T12:00:00Z", "scope": "user"}
    why = "prod is halted by alice at 2026-03-01T12:00:00Z: the model is wrong; hftstack resume"

    assert _lines(status(halted=halt))[-1] == f"{why} --reason TEXT releases it"
    assert _lines(status(unit(), halted=halt))[-1] == f"{why} --reason TEXT releases it"
    assert _lines(status(unit(), halted=halt | {"scope": "stack"}))[-1] == (
        f"{why} --stack prod --reason TEXT releases it"
    )
    assert not is_well(status(unit(), halted=halt))
