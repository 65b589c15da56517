from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.integration.harness import Machine


def _stack(machine: Machine, **restart: str) -> None:
    connectors = {name: {"type": "sim", "restart": restart} for name in ("a", "b")}
    bots: dict[str, Any] = {"mm": {"type": "sim", "depends_on": ["a"], "stop": {"grace": "5s"}}}
    machine.write(connectors=connectors, bots=bots)


def test_an_old_connector_is_restarted_bots_first_one_of_a_venue_at_a_time(machine: Machine) -> None:
    _stack(machine, max_age="3s")
    machine.up()
    first = machine.pids()
    after = machine.until_units(
        lambda units: all(
            units[name]["pid"] not in {None, first[name]} and units[name]["state"] == "up" for name in first
        )
    )
    assert (after["a"]["restarts"], after["b"]["restarts"], after["mm"]["restarts"]) == (0, 0, 1)
    journal = machine.journal()
    reasons = [(unit, text) for unit, what, text in journal if what == "recycle" and unit != "mm"]
    assert {unit for unit, _ in reasons} == {"a", "b"}
    assert all(text == "older than its max_age of 3 s" for _, text in reasons)
    ends = [unit for unit, what, _ in journal if what == "exit"]
    assert ends.index("mm") < ends.index("a")
    assert _overlaps(journal) == []
    assert [what for unit, what, _ in journal if what in {"killed", "unclean", "failed"}] == []
    machine.down()


def _overlaps(journal: list[tuple[str | None, str, str]]) -> list[str]:
    """Return the connectors that were taken down for their age while the other one was not up."""
    down: set[str | None] = {"a", "b"}
    found = []
    for unit, what, _ in journal:
        if unit not in {"a", "b"}:
            continue
        if what == "recycle":
            if down:
                found.append(str(unit))
            down.add(unit)
        elif what == "up":
            down.discard(unit)
    return found


def test_outside_its_window_an_old_connector_runs_on(machine: Machine) -> None:
    now = datetime.now(UTC)
    begin, end = now + timedelta(hours=6), now + timedelta(hours=7)
    _stack(machine, max_age="1s", window=f"{begin:%H:%M}-{end:%H:%M} UTC")
    machine.up()
    first = machine.pids()
    # a third connector, without a window, is the clock: it comes of age later than those two, twice
    machine.write(
        connectors={
            **{
                name: {"type": "sim", "restart": {"max_age": "1s", "window": f"{begin:%H:%M}-{end:%H:%M} UTC"}}
                for name in "ab"
            },
        },
        bots={"mm": {"type": "sim", "depends_on": ["a"], "stop": {"grace": "5s"}}},
        services={"clock": {"command": ["sleep", "1000"], "restart": {"max_age": "1500ms"}}},
    )
    machine.up()
    clock = machine.pids()["clock"]
    machine.until_units(lambda units: units["clock"]["pid"] not in {None, clock} and units["clock"]["state"] == "up")
    assert {name: pid for name, pid in machine.pids().items() if name != "clock"} == first
    machine.down()
