from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.harness import pair

if TYPE_CHECKING:
    from tests.integration.harness import Machine


def test_of_several_ups_at_once_none_makes_a_second_process_of_a_unit(machine: Machine) -> None:
    machine.write(pair())
    ups = [machine.begin("up", machine.file) for _ in range(3)]
    done = [up.done() for up in ups]
    codes = sorted(one.code for one in done)
    assert codes[0] == 0, [one.said for one in done]
    assert set(codes) <= {0, 7}, [one.said for one in done]
    for one in done:
        if one.code == 7:
            assert "another `up` of s is under way" in one.err
    assert {unit: len(pids) for unit, pids in machine.members().items()} == {"bf": 1, "mm": 1}
    # a guardian and its supervisor
    assert sum("boot.py" in command for command in machine.processes().values()) == 2
    machine.down()


def test_down_ends_an_up_that_is_under_way(machine: Machine) -> None:
    machine.write(pair({"faults": {"slow_start": 60}}))
    up = machine.begin("up", machine.file)
    machine.until_units(lambda units: units["bf"]["pid"])
    assert machine.hftstack("down", "s").code == 0
    done = up.done()
    assert done.code in {5, 7}, done.said
    assert "Traceback" not in done.err
    assert machine.left() == {}


def test_two_downs_at_once_both_find_it_down(machine: Machine) -> None:
    machine.write(pair(config={"faults": {"linger": 0.5}}))
    machine.up()
    downs = [machine.begin("down", "s") for _ in range(2)]
    done = [down.done() for down in downs]
    assert [one.code for one in done] == [0, 0], [one.said for one in done]
    assert machine.left() == {}


def test_up_during_down_is_refused_or_starts_anew(machine: Machine) -> None:
    machine.write(pair({"rate": 50}, config={"faults": {"linger": 1}}))
    machine.up()
    down = machine.begin("down", "s")
    machine.until_units(lambda units: units["mm"]["state"] == "stopping")
    up = machine.hftstack("up", machine.file)
    assert down.done().code == 0
    assert up.code in {0, 7}, up.said
    if up.code == 0:
        machine.until_units(lambda units: units["bf"]["level"] == "fresh")
    else:
        assert "is being stopped" in up.err
    machine.down()


def test_down_and_up_at_once_leave_a_stack_that_is_up_or_down_and_whole(machine: Machine) -> None:
    machine.write(pair({"rate": 50}))
    machine.up()
    down = machine.begin("down", "s")
    up = machine.begin("up", machine.file).done()
    assert down.done().code == 0
    assert up.code in {0, 5, 7}, up.said
    assert "Traceback" not in up.err
    machine.up()
    machine.until_units(lambda units: units["bf"]["level"] == "fresh")
    assert {unit: len(pids) for unit, pids in machine.members().items()} == {"bf": 1, "mm": 1}
    machine.down()
