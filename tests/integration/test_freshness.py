"""Channels that fall silent while everything is alive: what a process manager does not see."""

from __future__ import annotations

import os
import signal
from http import HTTPStatus
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

from tests.children import until
from tests.integration.harness import pair

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.harness import Machine

Units = dict[str, dict[str, Any]]


def _stack(config: dict[str, Any], **health: object) -> dict[str, Any]:
    stack = pair(config)
    stack["connectors"]["bf"]["health"] = {"stale_after": "1s", **health}
    return stack


def _fresh(units: Units) -> bool:
    return (units["bf"]["level"], units["bf"]["state"], units["mm"]["state"]) == ("fresh", "up", "up")


def _healed(before: Units) -> Any:  # noqa: ANN401 - a condition
    return lambda units: _fresh(units) and all(units[name]["pid"] != before[name]["pid"] for name in ("bf", "mm"))


def test_a_connector_that_falls_silent_is_restarted_with_its_bot_bots_first(machine: Machine) -> None:
    silence = machine.folder / "silence"
    machine.write(_stack({"faults": {"silent_after": 0.0, "arm_file": str(silence)}}))
    machine.up()
    before = machine.until_units(_fresh)
    silence.touch()
    until(lambda: machine.units().get("bf", {}).get("restarts"))
    silence.unlink()
    machine.until_units(_healed(before))
    journal = machine.journal()
    assert ("bf", "stale", "no message for 1 s") in journal
    assert ("bf", "broken", "stale: no message for 1 s") in journal
    ends = [unit for unit, what, _ in journal if what == "exit"]
    assert ends[:2] == ["mm", "bf"]
    machine.down()


def test_with_alert_a_silent_connector_is_told_of_and_left_alone_until_it_speaks_again(machine: Machine) -> None:
    told = machine.folder / "told"
    stack = _stack({"rate": 100}, on_stale="alert")
    stack["notify"] = {"command": [machine.script("tell", f"cat >> {told}")], "on": ["stale"]}
    machine.write(stack)
    machine.up()
    before = machine.until_units(_fresh)
    os.kill(before["bf"]["pid"], signal.SIGSTOP)
    stale = machine.until_units(lambda units: units["bf"]["state"] == "stale")
    assert (stale["bf"]["why"], stale["bf"]["level"], stale["mm"]["state"]) == ("no message for 1 s", "live", "up")
    status = machine.hftstack("status")
    assert status.code == 5
    assert "stale" in next(line for line in status.out.splitlines() if line.startswith("bf"))
    until(lambda: told.exists() and '"alarm": "stale"' in told.read_text())
    os.kill(before["bf"]["pid"], signal.SIGCONT)
    after = machine.until_units(_fresh)
    assert [after[name]["pid"] for name in ("bf", "mm")] == [before[name]["pid"] for name in ("bf", "mm")]
    assert "bf" in machine.happened("recovered")
    machine.down()


def test_a_bot_that_reads_nothing_is_no_reason_to_restart_its_connector(machine: Machine) -> None:
    machine.write(_stack({"rate": 200}))
    machine.up()
    before = machine.until_units(_fresh)
    os.kill(before["mm"]["pid"], signal.SIGSTOP)
    behind = machine.until_units(lambda units: units["bf"]["channel"]["bots"][0]["lag"] > 400)
    assert (behind["bf"]["state"], behind["bf"]["level"], behind["bf"]["restarts"]) == ("up", "fresh", 0)
    os.kill(before["mm"]["pid"], signal.SIGCONT)
    machine.until_units(lambda units: units["bf"]["channel"]["bots"][0]["lag"] < 400)
    assert machine.happened("stale") == []
    machine.down()


def test_a_channel_below_its_least_rate_is_stale_though_messages_move(machine: Machine) -> None:
    machine.write(_stack({"rate": 5}, min_rate=50, on_stale="alert"))
    machine.up()
    stale = machine.until_units(lambda units: units["bf"]["state"] == "stale")
    assert stale["bf"]["why"] == "fewer than 50 messages a second for 1 s"
    machine.down()


def test_a_connector_that_never_says_anything_is_stale_at_its_deadline(machine: Machine) -> None:
    machine.write(_stack({"faults": {"silent_after": 0.0}}, stale_after="1h", first_message="500ms", on_stale="alert"))
    machine.up()
    stale = machine.until_units(lambda units: units["bf"]["state"] == "stale")
    assert stale["bf"]["why"] == "no message within 0.5 s of a bot's attaching"
    machine.down()


def _paper(machine: Machine, binaries: Path, port: int) -> dict[str, Any]:
    config = machine.folder / "bf.toml"
    config.write_text(f'stream_url = "ws://127.0.0.1:{port}/ws"\napi_url = "http://127.0.0.1:{port}"\n', "utf-8")
    connector = {"type": "binancefutures", "config": str(config), "health": {"stale_after": "1s"}}
    bot = {"command": [str(binaries / "bot"), "bf", "btcusdt"], "depends_on": ["bf"], "stop": {"grace": "1s"}}
    return {"connectors": {"bf": connector}, "bots": {"mm": bot}, "source": {"path": str(binaries.parent.parent)}}


def _ask(port: int, what: str) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", f"/control/{what}")
    assert connection.getresponse().status == HTTPStatus.OK
    connection.close()


def test_a_stream_that_the_exchange_drops_heals_by_itself(
    machine: Machine, paper_binaries: Path, free_port: int
) -> None:
    machine.other(str(paper_binaries / "exchange"), "--port", str(free_port))
    machine.write(_paper(machine, paper_binaries, free_port))
    machine.up()
    before = machine.until_units(_fresh)
    _ask(free_port, "drop")
    after = machine.until_units(_healed(before))
    assert (after["bf"]["restarts"], after["mm"]["restarts"]) == (1, 1)
    machine.hftstack("down", "s")


def test_while_the_exchange_is_away_no_restart_is_spent_and_then_it_heals(
    machine: Machine, paper_binaries: Path, free_port: int
) -> None:
    command = (str(paper_binaries / "exchange"), "--port", str(free_port))
    exchange = machine.other(*command)
    machine.write(_paper(machine, paper_binaries, free_port))
    machine.up()
    before = machine.until_units(_fresh)
    exchange.kill()
    exchange.wait(20)
    away = machine.until_units(lambda units: "exchange unreachable: 127.0.0.1" in (units["bf"]["why"] or ""))
    assert (away["bf"]["state"], away["bf"]["pid"], away["bf"]["restarts"]) == ("stale", before["bf"]["pid"], 0)
    machine.other(*command)
    after = machine.until_units(_healed(before))
    assert after["bf"]["restarts"] == 1
    machine.hftstack("down", "s")
