from __future__ import annotations

import os
import random
import secrets
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from tests.children import until
from tests.integration.harness import Machine, lives, pair

if TYPE_CHECKING:
    from collections.abc import Callable


def _wide() -> dict[str, Any]:
    return {
        "services": {"base": {"command": ["sleep", "1000"]}},
        "connectors": {"bf": {"type": "sim", "depends_on": ["base"]}},
        "bots": {"mm": {"type": "sim", "depends_on": ["bf"], "stop": {"grace": "2s"}}},
    }


def test_up_after_the_supervisors_death_keeps_every_process(machine: Machine) -> None:
    machine.write(_wide())
    machine.up()
    before = machine.pids()
    machine.kill_supervisor()
    assert all(pid is not None and lives(pid) for pid in before.values())
    shown = machine.hftstack("status", "s")
    assert shown.code == 5
    assert "without a supervisor" in shown.said
    machine.up()
    assert machine.pids() == before
    assert all(unit["restarts"] == 0 for unit in machine.units().values())
    machine.down()


def test_down_after_the_supervisors_death_stops_everything_in_order(machine: Machine) -> None:
    machine.write(_wide())
    machine.up()
    machine.kill_supervisor()
    machine.hftstack("down")
    assert machine.left() == {}
    assert machine.happened("exit") == ["mm", "bf", "base"]


def test_what_died_with_the_supervisor_is_started_and_what_lives_is_kept(machine: Machine) -> None:
    machine.write(_wide())
    machine.up()
    before = machine.pids()
    machine.kill_supervisor()
    assert before["bf"] is not None
    os.kill(before["bf"], signal.SIGKILL)
    until(lambda: not lives(before["bf"] or 0))
    machine.up()
    after = machine.pids()
    assert after["base"] == before["base"]
    assert after["bf"] != before["bf"]
    # the bot was attached to a channel that is gone
    assert after["mm"] != before["mm"]
    machine.until_units(lambda units: units["bf"]["level"] == "fresh")
    assert {unit: len(pids) for unit, pids in machine.members().items()} == {"base": 1, "bf": 1, "mm": 1}
    machine.down()


def test_when_everything_was_killed_up_starts_clean(machine: Machine) -> None:
    machine.write(_wide())
    machine.up()
    machine.kill_supervisor()
    for pid in machine.processes():
        os.kill(pid, signal.SIGKILL)
    until(lambda: not machine.processes())
    assert machine.hftstack("down", "s").code == 0
    machine.up()
    machine.until_units(lambda units: units["bf"]["level"] == "fresh")
    machine.down()


@pytest.mark.parametrize("moment", ["intended", "recorded", "early", "late"])
def test_killed_while_it_starts_units_it_leaves_one_process_of_each_to_the_next(machine: Machine, moment: str) -> None:
    machine.write(_wide())
    up = machine.begin("up", machine.file)
    lock = machine.state / "lock"
    until(lambda: lock.exists() and lock.read_text().strip())
    supervisor = machine.supervisor()
    match moment:
        case "intended":
            until((machine.state / "intent.json").exists)
        case "recorded":
            units = machine.runtime / "units.json"
            until(lambda: units.exists() and '"bf"' in units.read_text())
        case _:
            seed = secrets.randbits(32)
            print(f"seed {seed}")  # noqa: T201 - shown when it fails
            span = (0.0, 0.2) if moment == "early" else (0.2, 1.0)
            time.sleep(random.Random(seed).uniform(*span))  # noqa: S311 - the moment of a kill
    with suppress(ProcessLookupError):
        os.kill(supervisor, signal.SIGKILL)
    up.done()
    until(lambda: not lives(supervisor))
    before = {unit: pids[0] for unit, pids in machine.members().items() if machine.is_opened(pids[0])}
    machine.up()
    after = machine.pids()
    assert {unit: len(pids) for unit, pids in machine.members().items()} == {"base": 1, "bf": 1, "mm": 1}
    assert {unit: after[unit] for unit in before} == before
    machine.down()


def test_without_the_record_units_are_known_by_their_marker(machine: Machine) -> None:
    machine.write(_wide())
    machine.up()
    before = machine.pids()
    machine.kill_supervisor()
    (machine.runtime / "units.json").unlink()
    machine.up()
    assert machine.pids() == before
    machine.kill_supervisor()
    (machine.runtime / "units.json").write_bytes(b'{"boot": ')
    machine.hftstack("down")
    assert machine.left() == {}


def test_without_its_runtime_directory_the_stack_is_still_found_and_stopped(machine: Machine) -> None:
    machine.write(_wide())
    machine.up()
    machine.kill_supervisor()
    for file in (machine.runtime / "units.json", machine.runtime / "control.sock"):
        file.unlink()
    assert machine.hftstack("down").code == 0
    assert machine.left() == {}


@pytest.mark.parametrize("damage", [b"not a database at all, by any means", None])
def test_the_journal_is_history_and_its_loss_changes_nothing(machine: Machine, damage: bytes | None) -> None:
    machine.write(connectors={"bf": {"type": "sim"}})
    machine.up()
    before = machine.pids()
    machine.kill_supervisor()
    for file in machine.state.glob("journal.db*"):
        file.unlink()
    if damage is not None:
        (machine.state / "journal.db").write_bytes(damage * 100)
    machine.up()
    assert machine.pids() == before
    machine.down()
    assert machine.happened("adopted") == ["bf"]


@pytest.mark.parametrize("name", ["deployment.json", "intent.json"])
@pytest.mark.parametrize("damage", [lambda text: text[: len(text) // 2], lambda text: text.replace(b'"mm"', b'"nn"')])
def test_a_damaged_or_edited_record_is_refused_and_nothing_is_killed(
    machine: Machine, damage: Callable[[bytes], bytes], name: str
) -> None:
    machine.write(**pair())
    machine.up()
    before = machine.pids()
    machine.kill_supervisor()
    record = machine.state / name
    whole = record.read_bytes()
    record.write_bytes(damage(whole))
    for words in (("up", str(machine.file)), ("down", "s"), ("status", "s")):
        done = machine.hftstack(*words)
        assert done.code == 7, done.said
        assert name in done.err
        assert "Traceback" not in done.err
    assert all(pid is not None and lives(pid) for pid in before.values())
    record.write_bytes(whole)
    machine.up()
    assert machine.pids() == before
    machine.down()


def test_a_bot_that_is_being_restarted_when_the_supervisor_is_killed_comes_back(machine: Machine) -> None:
    machine.write(pair(config={"faults": {"linger": 1.5}}, stop={"grace": "60s"}))
    machine.up()
    before = machine.pids()["mm"]
    machine.begin("restart", "mm")
    until(lambda: '"after":"waiting"' in (machine.runtime / "units.json").read_text(encoding="utf-8"))
    supervisor = machine.supervisor()
    os.kill(supervisor, signal.SIGKILL)
    machine.until_units(lambda units: units["mm"]["level"] == "ready" and units["mm"]["pid"] != before)
    assert machine.supervisor() != supervisor
    assert machine.happened("finished") == machine.happened("killed") == []
    machine.down()
