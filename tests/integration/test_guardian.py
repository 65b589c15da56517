from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.children import until
from tests.integration.harness import Machine, lives, pair

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.harness import Running


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])


def _zombies(parent: int) -> list[int]:
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="utf-8").split()
    return [int(pid) for pid in found if not lives(int(pid))]


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    until(lambda: not lives(pid))


def _is_supervised_by_another(machine: Machine, before: int) -> Callable[[], bool]:
    return lambda: machine.supervisor() != before and bool(machine.units())


def _while_unsupervised(machine: Machine, happens: Callable[[], None]) -> None:
    """Let something happen between a supervisor's death and the next one's beginning."""
    guardian, supervisor = machine.guardian(), machine.supervisor()
    os.kill(guardian, signal.SIGSTOP)
    try:
        _kill(supervisor)
        happens()
    finally:
        os.kill(guardian, signal.SIGCONT)
    until(_is_supervised_by_another(machine, supervisor))


def _long_lived(**unit: Any) -> dict[str, Any]:  # noqa: ANN401 - YAML
    return {"services": {"s1": {"command": ["sleep", "1000"], **unit}}}


def test_a_supervisor_that_is_killed_is_replaced_and_no_unit_notices(machine: Machine) -> None:
    machine.write(pair())
    machine.up()
    before, guardian, supervisor = machine.pids(), machine.guardian(), machine.supervisor()
    _kill(supervisor)
    until(_is_supervised_by_another(machine, supervisor))
    machine.until_units(lambda units: units["mm"]["level"] == "ready" and units["bf"]["level"] == "fresh")
    assert machine.pids() == before
    assert machine.guardian() == guardian
    assert all(unit["restarts"] == 0 for unit in machine.units().values())
    machine.down()
    until(lambda: not lives(guardian))


def test_supervisors_killed_at_random_moments_leave_one_process_a_unit(machine: Machine) -> None:
    machine.write(pair())
    machine.up()
    chance = random.Random(7)  # noqa: S311 - moments, not secrets
    for _ in range(15):
        supervisor = machine.supervisor()
        if chance.random() < 0.5:
            connector = machine.members().get("bf", [])
            if connector:
                os.kill(connector[0], signal.SIGKILL)
        _kill(supervisor)
        until(lambda supervisor=supervisor: machine.supervisor() != supervisor)  # type: ignore[misc]
    machine.until_units(lambda units: units["bf"]["level"] == "fresh" and units["mm"]["level"] == "ready")
    assert {unit: len(pids) for unit, pids in machine.members().items()} == {"bf": 1, "mm": 1}
    machine.down()


def test_an_exit_code_survives_the_supervisor(machine: Machine) -> None:
    machine.write(_long_lived())
    machine.up()
    before = machine.pids()["s1"]
    assert before is not None
    _while_unsupervised(machine, lambda: _kill(before))
    machine.until_units(lambda units: units["s1"]["level"] == "ready" and units["s1"]["pid"] != before)
    assert any(unit == "s1" and what == "exit" and text == "SIGKILL" for unit, what, text in machine.journal())
    until(lambda: not _zombies(machine.guardian()))
    machine.down()


def test_restarts_are_counted_on_over_the_deaths_of_supervisors(machine: Machine) -> None:
    eager = {"backoff": {"initial": "1ms", "max": "1ms"}, "limit": {"restarts": 2, "window": "10m"}}
    machine.write(
        services={
            "s1": {"command": ["sleep", "1000"], "restart": {"stable": "1ms"}},
            "s2": {"command": ["sh", "-c", "exit 3"], "restart": eager},
        }
    )
    machine.hftstack("up", machine.file)

    def counted(s1: int) -> Callable[[dict[str, dict[str, Any]]], bool]:
        return lambda units: (
            (units["s1"]["level"], units["s1"]["restarts"]) == ("ready", s1)
            and (units["s2"]["state"], units["s2"]["restarts"]) == ("failed", 2)
        )

    machine.until_units(counted(0))
    for restarts in (1, 3, 5):
        _kill(machine.pids()["s1"] or 0)
        machine.until_units(counted(restarts))
        supervisor = machine.supervisor()
        _kill(supervisor)
        until(_is_supervised_by_another(machine, supervisor))
        machine.until_units(counted(restarts))
        before = machine.pids()["s1"] or 0
        _while_unsupervised(machine, lambda before=before: _kill(before))  # type: ignore[misc]
        machine.until_units(counted(restarts + 1))
    machine.kill_supervisor()
    machine.hftstack("up", machine.file)
    assert machine.units()["s1"]["restarts"] == 6
    machine.down()
    machine.hftstack("up", machine.file)
    machine.until_units(counted(0))
    machine.down()


def test_a_limit_holds_over_the_deaths_of_supervisors(machine: Machine) -> None:
    machine.write(services={"s1": {"command": ["sleep", "1000"], "restart": {"limit": {"restarts": 2}}}})
    machine.up()

    def restarted(times: int) -> Callable[[dict[str, dict[str, Any]]], bool]:
        return lambda units: (units["s1"]["level"], units["s1"]["restarts"]) == ("ready", times)

    for restarts in (1, 2):
        _kill(machine.pids()["s1"] or 0)
        machine.until_units(restarted(restarts))
        supervisor = machine.supervisor()
        _kill(supervisor)
        until(_is_supervised_by_another(machine, supervisor))
    _kill(machine.until_units(lambda units: units["s1"]["level"] == "ready")["s1"]["pid"])
    machine.until_units(lambda units: units["s1"]["state"] == "failed")
    machine.down()


def test_a_bot_that_finished_while_nobody_supervised_is_not_started_again(machine: Machine) -> None:
    script = "import signal, sys; signal.signal(signal.SIGUSR1, lambda *_: sys.exit(0)); print('set', flush=True); "
    machine.write({"bots": {"once": {"command": ["python3", "-c", script + "signal.pause()"]}}})
    machine.up()
    until(lambda: "set" in machine.log("once"))
    before = machine.pids()["once"]
    assert before is not None

    def finish() -> None:
        os.kill(before, signal.SIGUSR1)
        until(lambda: not lives(before))

    _while_unsupervised(machine, finish)
    machine.until_units(lambda units: units["once"]["state"] == "finished")
    machine.down()


def test_a_supervisor_whose_guardian_is_killed_takes_its_place(machine: Machine) -> None:
    machine.write(pair())
    machine.up()
    before, guardian, supervisor = machine.pids(), machine.guardian(), machine.supervisor()
    _kill(guardian)
    until(_is_supervised_by_another(machine, supervisor))
    assert machine.guardian() == supervisor
    assert _parent(machine.supervisor()) == supervisor
    machine.until_units(lambda units: units["mm"]["level"] == "ready")
    assert machine.pids() == before
    # and that one guards: units that a later supervisor starts are seen to end
    again = machine.supervisor()
    _kill(again)
    until(_is_supervised_by_another(machine, again))
    connector = before["bf"]
    assert connector is not None
    _kill(connector)
    machine.until_units(lambda units: units["bf"]["level"] == "fresh" and units["bf"]["pid"] != connector)
    machine.down()
    until(lambda: not lives(supervisor))


_AFTER: Final = (0.0, 0.01, 0.03, 0.06, 0.1, 0.13, 0.16, 0.2)
"""Seconds from a guardian's lock to its death: before its supervisor is forked, while that one begins, and after."""


def _kill_next_guardian(machine: Machine, asked: Running, before: set[int], after: float) -> None:
    """Kill the next guardian that shows, `after` seconds later; none when the command has ended by then."""

    def pid() -> int | None:
        with suppress(OSError, ValueError):
            found = int((machine.state / "guardian.lock").read_text(encoding="utf-8"))
            return found if found not in before else None
        return None

    found = until(lambda: pid() or (asked.process.poll() is not None and -1))
    if found > 0:
        before.add(found)
        time.sleep(after)  # the moment is what is tried
        with suppress(ProcessLookupError):
            os.kill(found, signal.SIGKILL)


@pytest.mark.parametrize("after", _AFTER)
def test_an_up_whose_guardian_is_killed_meanwhile_succeeds_and_starts_each_unit_once(
    machine: Machine, after: float
) -> None:
    machine.write(pair())
    asked = machine.begin("up", machine.file)
    _kill_next_guardian(machine, asked, set(), after)
    done = asked.done()
    assert done.code == 0, done.said
    machine.until_units(lambda units: units["mm"]["level"] == "ready" and units["bf"]["level"] == "fresh")
    assert machine.happened("start") == ["bf", "mm"]
    assert {unit: len(pids) for unit, pids in machine.members().items()} == {"bf": 1, "mm": 1}
    machine.down()


@pytest.mark.parametrize("after", _AFTER)
def test_an_up_that_takes_units_over_survives_the_death_of_its_guardian(machine: Machine, after: float) -> None:
    machine.write(pair())
    machine.up()
    before, old = machine.pids(), machine.guardian()
    machine.kill_supervisor()
    asked = machine.begin("up", machine.file)
    _kill_next_guardian(machine, asked, {old}, after)
    done = asked.done()
    assert done.code == 0, done.said
    assert until(machine.pids) == before
    machine.down()


def test_a_down_whose_guardian_is_killed_meanwhile_starts_nothing_and_leaves_nothing(machine: Machine) -> None:
    machine.write(pair())
    machine.up()
    old = machine.guardian()
    machine.kill_supervisor()
    bot = machine.members()["mm"][0]
    _kill(bot)
    asked = machine.begin("down", "s")
    _kill_next_guardian(machine, asked, {old}, 0.06)
    done = asked.done()
    assert done.code == 0, done.said
    assert machine.left() == {}
    assert machine.happened("start") == ["bf", "mm"]


def _kill_first_supervisor(machine: Machine, before: str) -> None:
    """Kill the next supervisor as soon as it holds its lock: it has begun nothing yet."""

    def pid() -> int | None:
        with suppress(OSError, ValueError):
            text = (machine.state / "lock").read_text(encoding="utf-8")
            return int(text) if text != before else None
        return None

    os.kill(until(pid) or 0, signal.SIGKILL)


def test_a_down_whose_supervisor_is_killed_before_it_is_told_starts_nothing(machine: Machine) -> None:
    machine.write({"services": {name: {"command": ["sleep", "1000"]} for name in ("s1", "s2")}})
    machine.up()
    machine.kill_supervisor()
    _kill(machine.members()["s2"][0])
    before = (machine.state / "lock").read_text(encoding="utf-8")
    asked = machine.begin("down", "s")
    _kill_first_supervisor(machine, before)
    done = asked.done()
    assert done.code == 0, done.said
    assert machine.left() == {}
    assert machine.happened("start") == ["s1", "s2"]


def test_what_a_foreground_supervisor_is_to_bring_in_outlives_its_death(machine: Machine) -> None:
    machine.write(pair())
    asked = machine.begin("up", "--foreground", machine.file)
    _kill_first_supervisor(machine, "")
    machine.until_units(lambda units: units["mm"]["level"] == "ready")
    assert not (machine.runtime / "bring.json").exists()
    os.kill(asked.process.pid, signal.SIGTERM)
    done = asked.done()
    assert done.code == 0, done.said
    assert machine.left() == {}


def test_an_up_whose_guardians_are_all_killed_says_so_and_leaves_nothing(machine: Machine) -> None:
    machine.write(pair())
    asked = machine.begin("up", machine.file)
    killed: set[int] = set()
    while asked.process.poll() is None:
        _kill_next_guardian(machine, asked, killed, 0.0)
    done = asked.done()
    assert done.code == 1, done.said
    assert "the supervisor did not start: its guardian is killed again and again" in done.err
    assert 1 < len(killed) < 10
    assert machine.left() == {}


def test_both_killed_leave_the_units_running_and_up_takes_them_over(machine: Machine) -> None:
    machine.write(pair())
    machine.up()
    before = machine.pids()
    machine.kill_supervisor()
    shown = machine.hftstack("status", "s")
    assert shown.code == 5
    assert "without a supervisor" in shown.said
    machine.up()
    assert machine.pids() == before
    machine.down()


def test_sigterm_to_the_guardian_is_an_ordered_down(machine: Machine) -> None:
    machine.write(pair())
    machine.up()
    guardian = machine.guardian()
    os.kill(guardian, signal.SIGTERM)
    until(lambda: not lives(guardian))
    assert machine.left() == {}
    assert machine.happened("exit") == ["mm", "bf"]


def test_sigterm_while_no_supervisor_lives_is_obeyed_by_the_next(machine: Machine) -> None:
    machine.write(pair())
    machine.up()
    guardian, supervisor = machine.guardian(), machine.supervisor()
    os.kill(guardian, signal.SIGSTOP)
    _kill(supervisor)
    os.kill(guardian, signal.SIGTERM)
    os.kill(guardian, signal.SIGCONT)
    until(lambda: not lives(guardian))
    assert machine.left() == {}


def test_orphans_handed_to_the_guardian_are_reaped(machine: Machine) -> None:
    orphan = "setsid sh -c 'echo >>gone'"
    machine.write(_long_lived(command=["sh", "-c", f"exec 3<>go; while read -r line <&3; do ({orphan} &) 3<&-; done"]))
    os.mkfifo(machine.folder / "go")
    machine.up()
    supervisor = machine.supervisor()
    _kill(supervisor)
    until(_is_supervised_by_another(machine, supervisor))
    (machine.folder / "go").write_text("once\n" * 5, encoding="utf-8")
    gone = machine.folder / "gone"
    until(lambda: gone.exists() and gone.read_bytes() == b"\n" * 5)
    until(lambda: not _zombies(machine.guardian()))
    machine.down()


def test_an_up_that_meets_a_guardian_without_a_supervisor_waits_for_the_next(machine: Machine) -> None:
    machine.write(pair())
    machine.up()
    before, guardian = machine.pids(), machine.guardian()
    os.kill(guardian, signal.SIGSTOP)
    _kill(machine.supervisor())
    asked = machine.begin("up", machine.file)
    os.kill(guardian, signal.SIGCONT)
    done = asked.done()
    assert done.code == 0, done.said
    assert machine.pids() == before
    assert machine.guardian() == guardian
    machine.down()


def test_upgrade_replaces_guardian_and_supervisor_and_touches_no_unit(machine: Machine) -> None:
    machine.write(pair())
    machine.up()
    before, guardian, supervisor = machine.pids(), machine.guardian(), machine.supervisor()
    started = Path(f"/proc/{guardian}/cmdline").read_bytes()
    done = machine.hftstack("upgrade", "s")
    assert done.code == 0, done.said
    assert machine.guardian() == guardian
    assert machine.supervisor() != supervisor
    assert done.out == f"s  supervisor {supervisor} -> {machine.supervisor()}, no unit touched\n"
    assert b"--ready-fd" in started
    assert b"--ready-fd" not in Path(f"/proc/{guardian}/cmdline").read_bytes()
    machine.until_units(lambda units: units["bf"]["level"] == "fresh" and units["mm"]["level"] == "ready")
    assert machine.pids() == before
    assert "upgrade" in [what for _, what, _ in machine.journal()]
    machine.down()
    until(lambda: not lives(guardian))


@pytest.mark.parametrize("verb", ["stop", "restart"])
def test_a_stop_that_is_under_way_goes_on_over_an_upgrade(machine: Machine, verb: str) -> None:
    machine.write(**pair({}, config={"faults": {"ignore_sigterm": True}}, stop={"grace": "4s"}))
    machine.up()
    before, supervisor = machine.pids(), machine.supervisor()
    asked = machine.begin(verb, "-s", "s", "mm")
    machine.until_units(lambda units: units["mm"]["state"] == "stopping")

    done = machine.hftstack("upgrade", "s")

    assert done.code == 0, done.said
    assert machine.supervisor() != supervisor
    assert machine.pids() == before
    left = asked.done()
    assert left.code == 5
    assert f"the next one, pid {machine.supervisor()}, goes on\n    hftstack status" in left.err
    ended = "stopped" if verb == "stop" else "up"
    after = machine.until_units(lambda units: units["mm"]["state"] == ended)
    assert after["bf"]["pid"] == before["bf"]
    assert machine.happened("killed") == ["mm"]
    assert machine.happened("exit") == ["mm"]
    machine.hftstack("down", "s")


def test_upgrade_of_what_nobody_supervises_is_refused(machine: Machine) -> None:
    machine.write(pair())
    machine.up()
    machine.kill_supervisor()
    done = machine.hftstack("upgrade", "s")
    assert done.code == 7, done.said
    assert "not supervised" in done.err
    machine.up()
    machine.down()
