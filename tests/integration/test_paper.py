"""The real channel: programs on the hftbacktest crate, iceoryx2 0.6.1, a LiveBot."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.children import until
from tests.integration.harness import Machine, lives

if TYPE_CHECKING:
    from pathlib import Path


def _stop(machine: Machine) -> None:
    """Take the stack down. A connector that ends as upstream's does may leave files, which the next start removes."""
    done = machine.hftstack("down", "s")
    assert "is down" in done.out, done.said
    assert machine.happened("exit")[-2:] == ["mm", "bf"]
    until(lambda: machine.processes() == {})


def _paper(machine: Machine, binaries: Path, port: int) -> dict[str, Any]:
    """Return a stack on the paper exchange, its programs taken as they are built: no cargo in here."""
    config = machine.folder / "bf.toml"
    config.write_text(f'stream_url = "ws://127.0.0.1:{port}/ws"\napi_url = "http://127.0.0.1:{port}"\n', "utf-8")
    return {
        "connectors": {"bf": {"type": "binancefutures", "config": str(config), "health": {"startup": "1s"}}},
        "bots": {"mm": {"command": [str(binaries / "bot"), "bf", "btcusdt"], "depends_on": ["bf"]}},
        "source": {"path": str(binaries.parent.parent)},
    }


def test_a_connector_whose_exchange_is_away_waits_for_it_and_everything_follows_by_itself(
    machine: Machine, paper_binaries: Path, free_port: int
) -> None:
    machine.write(_paper(machine, paper_binaries, free_port))
    done = machine.hftstack("up", machine.file)
    assert done.code == 5, done.said
    assert "bf: connected not reached" in done.err
    assert "nothing listens" in done.err or "exchange" in done.err
    assert "still waiting: mm" in done.err
    units = machine.units()
    assert (units["bf"]["state"], units["bf"]["level"], units["bf"]["restarts"]) == ("starting", "live", 0)
    pid = units["bf"]["pid"]
    exchange = machine.other(str(paper_binaries / "exchange"), "--port", str(free_port))
    units = machine.until_units(lambda units: units["mm"]["state"] == "up" and units["bf"]["level"] == "fresh")
    assert lives(exchange.pid)
    assert units["bf"]["pid"] == pid
    _stop(machine)


def test_a_killed_connector_heals_and_the_live_bot_prints_ticks_again(
    machine: Machine, paper_binaries: Path, free_port: int
) -> None:
    machine.other(str(paper_binaries / "exchange"), "--port", str(free_port))
    machine.write(_paper(machine, paper_binaries, free_port))
    machine.up()
    before = machine.until_units(lambda units: units["bf"]["level"] == "fresh")
    assert before["bf"]["proven"] is not None
    os.kill(before["bf"]["pid"], signal.SIGKILL)
    after = machine.until_units(
        lambda units: (
            units["bf"]["level"] == "fresh"
            and units["bf"]["pid"] != before["bf"]["pid"]
            and units["mm"]["state"] == "up"
            and units["mm"]["pid"] != before["mm"]["pid"]
        )
    )
    assert after["mm"]["restarts"] == 1
    assert [bot["pid"] for bot in after["bf"]["channel"]["bots"]] == [after["mm"]["pid"]]
    until(lambda: "tick" in machine.log("mm"))
    _stop(machine)


@pytest.mark.parametrize("lost", [("deployment.json",), ("deployment.json", "units.json")])
def test_a_halt_ends_the_real_connector_without_a_supervisor(
    machine: Machine, paper_binaries: Path, free_port: int, lost: tuple[str, ...]
) -> None:
    exchange = {"command": [str(paper_binaries / "exchange"), "--port", str(free_port)]}
    stack = _paper(machine, paper_binaries, free_port)
    stack["connectors"]["bf"]["depends_on"] = ["exchange"]
    machine.write({**stack, "services": {"exchange": {**exchange, "ready": {"tcp": f"127.0.0.1:{free_port}"}}}})
    machine.up()
    machine.kill_supervisor()
    for name in lost:
        (machine.runtime if name == "units.json" else machine.state).joinpath(name).write_text("{", encoding="utf-8")
    done = machine.hftstack("halt", "--reason", "the model is wrong")
    assert done.code == 0, done.said
    assert "by records and markers" in done.err
    assert "SIGKILL" not in done.said
    assert machine.processes() == {}
