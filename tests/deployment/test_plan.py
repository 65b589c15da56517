from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.deployment import planfile
from orchestrator.deployment.changes import Change, Shown
from orchestrator.deployment.model import Alarm, Dependency, File, Hook, Kind, Notify, OnRestart, ReadyCheck
from orchestrator.deployment.plan import Action, Blackout, Plan, Process, plan
from orchestrator.errors import RefusedError, UsageError
from tests.supervise.specs import bot, connector, deployment, external, spec

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.deployment.model import UnitSpec

BF = replace(
    connector("bf"), type="binancefutures", files=(File("/c/bf-aa.toml", "aa" * 32),), argv=("/bin/bf", "/c/bf-aa.toml")
)
MM = bot("mm", "bf")
TABLES = {
    "/c/bf-aa.toml": {"api_key": "#1111", "order_prefix": '"a"'},
    "/c/bf-bb.toml": {"api_key": "#2222", "order_prefix": '"a"', "stream_url": '"wss://x"'},
    "/c/bf-cc.toml": {"order_prefix": '"a"'},
}
SHOWN = Shown(lambda name, value: value if name == "RUST_LOG" else "#hid", lambda _: "#hid", TABLES)


def _config(unit: UnitSpec, digest: str) -> UnitSpec:
    path = f"/c/bf-{digest}.toml"
    return replace(unit, files=(File(path, digest * 32),), argv=(unit.argv[0], path))


def _plan(old: tuple[UnitSpec, ...], new: tuple[UnitSpec, ...], alive: tuple[str, ...] = ("bf", "mm")) -> Plan:
    return plan(
        deployment(*old) if old else None,
        deployment(*new),
        alive=alive,
        shown=SHOWN,
        digests=("0", "1"),
        blackouts={"bf": Blackout(0.1, 0.2, 3)},
    )


def test_nothing_changes_between_equal_deployments() -> None:
    made = _plan((BF, MM), (BF, MM))

    assert made.is_empty
    assert {step.process for step in made.steps} == {Process.RUNS}


def test_a_config_is_compared_by_key_and_its_path_is_no_change() -> None:
    bf, mm = _plan((BF, MM), (_config(BF, "bb"), MM)).steps

    assert bf.changes == (
        Change("config.api_key", "#1111", "#2222", restarts=True),
        Change("config.stream_url", None, '"wss://x"', restarts=True),
    )
    assert (bf.action, bf.process, bf.dark, bf.cancels, bf.grace) == (Action.CHANGE, Process.RESTARTS, True, True, 5.0)
    assert bf.blackout == Blackout(0.1, 0.2, 3)
    assert (mm.action, mm.process, mm.reason, mm.dark) == (Action.RESTART, Process.RESTARTS, "bf restarts", True)


def test_a_config_that_cannot_be_read_is_told_by_digest() -> None:
    bf, _ = _plan((BF, MM), (_config(BF, "dd"), MM)).steps

    assert bf.changes == (Change("config", "aaaaaaaa", "dddddddd", restarts=True),)
    assert bf.cancels


def test_a_connector_without_a_key_cancels_nothing() -> None:
    assert [step.cancels for step in _plan((), (_config(BF, "cc"),), ()).steps] == [False]
    assert [step.cancels for step in _plan((), (BF,), ()).steps] == [True]


def test_variables_are_shown_by_digest_unless_they_are_known_to_be_public() -> None:
    new = replace(MM, env=(("RUST_LOG", "debug"), ("TOKEN", "hunter2")))
    step = _plan((BF, replace(MM, env=(("RUST_LOG", "info"),))), (BF, new)).steps[1]

    assert step.changes == (
        Change("env.RUST_LOG", "info", "debug", restarts=True),
        Change("env.TOKEN", None, "#hid", restarts=True),
    )


def test_words_that_the_environment_gave_are_shown_by_digest_on_both_sides() -> None:
    old = replace(MM, argv=("/bin/mm", "hunter2", "--size", "1"), given=("argv.1",))
    new = replace(MM, argv=("/bin/mm", "--token", "hunter3", "2"), given=("argv.2",))
    step = _plan((BF, old), (BF, new)).steps[1]
    same = _plan((BF, old), (BF, replace(old, given=()))).steps[1]

    argv = [('["/bin/mm", "#hid", "#hid", "1"]', '["/bin/mm", "#hid", "#hid", "2"]')]
    assert [(change.old, change.new) for change in step.changes] == argv
    assert same.changes == ()


def test_a_ready_check_that_the_environment_has_a_part_in_is_shown_by_digest() -> None:
    old = replace(MM, ready=ReadyCheck(log="hunter2"), given=("ready",))
    changes = _plan((BF, old), (BF, replace(MM, ready=None))).steps[1].changes

    assert "hunter2" not in str(changes)
    assert Change("ready.log", "#hid", None, restarts=False) in changes


def test_what_a_running_process_can_take_up_does_not_restart_it() -> None:
    step = _plan((BF, MM), (BF, replace(MM, grace=7.0))).steps[1]

    assert (step.action, step.process) == (Action.CHANGE, Process.RUNS)
    assert step.changes == (Change("grace", "60.0", "7.0", restarts=False),)


def _notify(*words: str) -> Notify:
    return Notify(Hook(("/bin/alert", *words), "/", (("TOKEN", "hunter2"),), 5.0), (Alarm.STALE,))


@pytest.mark.parametrize(
    ("new", "told"),
    [
        ({"network": "mainnet"}, [Change("network", '"local"', '"mainnet"', restarts=False)]),
        ({"rollback": True}, [Change("rollback", "false", "true", restarts=False)]),
        (
            {"notify": replace(_notify("pass1"), on=(Alarm.GAP,))},
            [
                Change("notify.command", '"/bin/alert"', '"/bin/alert #hid"', restarts=False),
                Change("notify.on", '["stale"]', '["gap"]', restarts=False),
            ],
        ),
        (
            {"notify": None},
            [
                Change("notify.command", '"/bin/alert"', None, restarts=False),
                Change("notify.on", '["stale"]', None, restarts=False),
                Change("notify.timeout", "5.0", None, restarts=False),
                Change("notify.env.TOKEN", '"#hid"', None, restarts=False),
            ],
        ),
        ({"sources": ()}, []),
    ],
)
def test_what_changes_besides_the_units_is_a_change_and_shows_no_secret(
    new: dict[str, Any], told: list[Change]
) -> None:
    before = replace(deployment(BF, MM), notify=_notify(), sources=(File("/s.yaml", "00"),))
    made = plan(before, replace(before, **new), alive=("bf", "mm"), shown=SHOWN, digests=("0", "1"))

    assert list(made.settings) == told
    assert made.is_empty is not bool(told)
    assert {step.process for step in made.steps} == {Process.RUNS}


def test_where_nothing_runs_no_setting_changes() -> None:
    before = deployment(BF, MM)
    made = plan(before, replace(before, rollback=True), alive=(), shown=SHOWN, digests=(None, "1"))

    assert made.settings == ()


def test_an_external_connector_that_is_not_watched_any_more_ends_nothing() -> None:
    needs = (Dependency("by", on_restart=OnRestart.STOP),)
    (mm, by) = plan(
        deployment(external("by"), replace(MM, depends_on=needs)),
        deployment(replace(MM, depends_on=())),
        alive=("by", "mm"),
        shown=SHOWN,
        digests=("0", "1"),
    ).steps

    assert (by.action, by.process) == (Action.REMOVE, Process.NONE)
    assert mm.process is Process.RUNS


def test_of_two_dependencies_that_go_the_one_that_stops_decides_in_whatever_order_they_are_found() -> None:
    first, last = spec("a", Kind.SERVICE), spec("c", Kind.SERVICE, "a")
    needs = (Dependency("a"), Dependency("c", on_restart=OnRestart.STOP))
    moved = replace(first, cwd="/elsewhere")
    made = _plan(
        (first, last, spec("b", Kind.SERVICE, *needs)), (moved, spec("b", Kind.SERVICE), last), ("a", "b", "c")
    )

    assert [(step.unit, step.process) for step in made.steps] == [
        ("a", Process.RESTARTS),
        ("b", Process.STOPS),
        ("c", Process.RESTARTS),
    ]


def _coded(digest: str | None) -> UnitSpec:
    return replace(
        MM, cwd="/bots", code=None if digest is None else (File("/bots/mm.py", digest), File("/x.sh", "b" * 64))
    )


def test_other_code_restarts_what_runs_it_and_names_the_file() -> None:
    _, mm = _plan((BF, _coded("a" * 64)), (BF, _coded("c" * 64))).steps

    assert mm.changes == (Change("code.mm.py", "aaaaaaaa", "cccccccc", restarts=True),)
    assert (mm.action, mm.process, mm.reason) == (Action.CHANGE, Process.RESTARTS, "changed: code")
    _, added = _plan((BF, replace(_coded("a" * 64), code=())), (BF, _coded("a" * 64))).steps
    assert added.process is Process.RESTARTS


def test_code_that_is_gone_is_told_before_what_runs_it_is_stopped() -> None:
    _, mm = _plan((BF, _coded("a" * 64)), (BF, replace(_coded("a" * 64), code=(File("/x.sh", "b" * 64),)))).steps

    assert mm.changes == (Change("code.mm.py", "aaaaaaaa", None, restarts=True),)
    assert (mm.action, mm.process) == (Action.CHANGE, Process.RESTARTS)


def test_the_first_up_after_an_upgrade_that_looks_at_code_changes_nothing() -> None:
    assert _plan((BF, _coded(None)), (BF, _coded("a" * 64))).is_empty


def test_a_removed_connector_takes_its_channel_with_it() -> None:
    mm, bf = _plan((BF, MM), (replace(MM, depends_on=()),)).steps

    assert (bf.action, bf.process, bf.dark) == (Action.REMOVE, Process.STOPS, True)
    assert mm.dark


def test_what_nothing_runs_of_is_added() -> None:
    made = _plan((BF, MM), (BF, MM), ())

    assert made.old is None
    assert {step.action for step in made.steps} == {Action.ADD}


def test_a_plan_in_a_file_is_the_same_plan(tmp_path: Path) -> None:
    made = _plan((BF, MM), (_config(BF, "bb"), MM))
    file = tmp_path / "a.plan"
    file.write_text(json.dumps(planfile.as_json(made)))

    assert planfile.read(file) == made
    planfile.refuse_another(planfile.read(file), file, replace(made, notes=("a remark",)))


@pytest.mark.parametrize("is_there", [False, True])
def test_a_plan_file_is_for_its_owner_alone(tmp_path: Path, *, is_there: bool) -> None:
    path = tmp_path / "a.plan"
    if is_there:
        path.write_text("x" * 100_000)
        path.chmod(0o644)
    made = _plan((BF, MM), (_config(BF, "bb"), MM))
    planfile.write(path, made)

    assert path.stat().st_mode & 0o777 == 0o600
    assert planfile.read(path) == made


def test_an_edited_plan_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.plan"
    file.write_text(json.dumps(planfile.as_json(_plan((BF, MM), (_config(BF, "bb"), MM)))).replace("#2222", "#1111"))

    with pytest.raises(RefusedError, match="edited"):
        planfile.read(file)


def test_a_plan_of_a_newer_hftstack_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.plan"
    file.write_text('{"format": 99, "sealed": ""}')

    with pytest.raises(RefusedError, match="newer hftstack"):
        planfile.read(file)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', "\x00"])
def test_what_is_no_plan_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.plan"
    file.write_text(text)

    with pytest.raises(UsageError, match="no plan"):
        planfile.read(file)


def test_a_plan_that_the_world_has_left_behind_is_refused_by_what_moved(tmp_path: Path) -> None:
    file = tmp_path / "a.plan"
    planned = _plan((BF, MM), (_config(BF, "bb"), MM))

    with pytest.raises(RefusedError, match=r"bf: change \(restarts\) was planned, now keep \(runs on\)"):
        planfile.refuse_another(planned, file, _plan((BF, MM), (BF, MM)))
    with pytest.raises(RefusedError, match="what runs has changed"):
        planfile.refuse_another(planned, file, replace(planned, old="9"))
