from __future__ import annotations

import json
import os
import signal
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.integration.harness import Machine, pair

if TYPE_CHECKING:
    from pathlib import Path

_PROMISED = {"name", "kind", "state", "level", "pid", "since", "restarts", "exit", "proven", "channel"}


def test_units_start_in_the_order_of_their_dependencies_and_end_in_reverse(machine: Machine) -> None:
    machine.write(
        services={"base": {"command": ["sleep", "1000"]}},
        connectors={"bf": {"type": "sim", "depends_on": ["base"]}, "by": {"type": "sim"}},
        bots={"mm": {"type": "sim", "depends_on": ["bf", "by"], "stop": {"grace": "2s"}}},
    )
    machine.up()
    ready = machine.happened("up")
    assert ready.index("base") < ready.index("bf") < ready.index("mm")
    assert ready.index("by") < ready.index("mm")
    assert {unit: len(pids) for unit, pids in machine.members().items()} == {"base": 1, "bf": 1, "by": 1, "mm": 1}
    done = machine.down()
    assert "orders at the exchange were NOT cancelled" in done.out
    ended = machine.happened("exit")
    assert ended[0] == "mm"
    assert ended.index("bf") < ended.index("base")
    assert machine.hftstack("down", "s").code == 0


def test_status_as_json_keeps_its_promise_to_scripts(machine: Machine) -> None:
    machine.write(**pair())
    machine.up()
    machine.until_units(lambda units: units["bf"]["level"] == "fresh")
    done = machine.hftstack("status", "--format", "json")
    assert done.code == 0
    found = json.loads(done.out)
    assert {"stack", "file", "supervised", "supervisor", "units"} <= found.keys()
    assert (found["stack"], found["file"], found["supervised"]) == ("s", str(machine.file), True)
    assert found["supervisor"]["pid"] == machine.supervisor()
    assert all(unit.keys() >= _PROMISED for unit in found["units"])
    bf, mm = found["units"]
    assert (bf["name"], bf["kind"], bf["state"], bf["level"]) == ("bf", "connector", "up", "fresh")
    assert (mm["name"], mm["kind"], mm["state"], mm["level"]) == ("mm", "bot", "up", "ready")
    assert (bf["restarts"], bf["exit"], bf["proven"], mm["channel"]) == (0, None, None, None)
    assert bf["channel"]["verdict"] == "live"
    assert [bot["pid"] for bot in bf["channel"]["bots"]] == [mm["pid"]]
    assert bf["channel"]["bots"][0]["written"] > 0
    assert bf["channel"]["bots"][0]["lag"] >= 0
    for text in (bf["since"], found["supervisor"]["since"]):
        assert text.endswith("Z")
        datetime.fromisoformat(text)
    table = machine.hftstack("status", machine.file).out.splitlines()
    assert table[0].split() == ["UNIT", "KIND", "STATE", "LEVEL", "PID", "FOR", "RESTARTS", "CHANNEL"]
    assert [line.split()[0] for line in table[1:]] == ["bf", "mm"]
    machine.down()
    assert machine.hftstack("status", "s").code == 5
    assert machine.hftstack("status").code == 5


def test_up_again_touches_only_what_differs_and_what_hangs_below_it(machine: Machine) -> None:
    connectors: dict[str, Any] = {"bf": {"type": "sim"}, "by": {"type": "sim"}}
    bots = {
        "mm": {"type": "sim", "depends_on": ["bf"], "stop": {"grace": "2s"}},
        "nn": {"type": "sim", "depends_on": ["by"], "stop": {"grace": "2s"}},
    }
    machine.write(connectors=connectors, bots=bots)
    machine.up()
    first = machine.pids()
    assert "nothing to change" in machine.up().out
    assert machine.pids() == first

    connectors["bf"] = {"type": "sim", "config": {"rate": 500}}
    connectors["bf"]["health"] = {"stale_after": "20s"}
    machine.write(connectors=connectors, bots=bots)
    assert "restarted bf" in machine.up().out
    second = machine.pids()
    assert {name for name in first if first[name] != second[name]} == {"bf", "mm"}

    del bots["nn"]
    bots["oo"] = {"type": "sim", "depends_on": ["bf", "by"], "stop": {"grace": "2s"}}
    connectors["by"] = {"type": "sim", "health": {"stale_after": "20s"}}
    machine.write(connectors=connectors, bots=bots)
    machine.up()
    third = machine.pids()
    assert third.keys() == {"bf", "by", "mm", "oo"}
    assert all(third[name] == second[name] for name in ("bf", "by", "mm"))
    # what was taken up without a restart is nothing new to the next supervisor either
    machine.kill_supervisor()
    machine.up()
    assert machine.pids() == third
    machine.down()


def test_a_unit_that_cannot_start_is_named_with_its_rung_and_last_words_and_the_rest_runs_on(machine: Machine) -> None:
    broken = machine.script("broken.sh", "echo no money; echo no honey >&2; exit 3")
    machine.write(
        connectors={"by": {"type": "sim"}, "bf": {"type": "sim", "depends_on": ["base"]}},
        services={"base": {"command": [broken], "ready": {"log": "never"}, "restart": {"policy": "never"}}},
        bots={"mm": {"type": "sim", "depends_on": ["bf"]}},
    )
    done = machine.hftstack("up", machine.file)
    assert done.code == 5
    assert "base: ready not reached" in done.err
    assert "exit 3" in done.err
    assert "| no money" in done.err
    assert "| no honey" in done.err
    assert "still waiting: bf, mm" in done.err
    units = machine.until_units(lambda units: units["by"]["state"] == "up")
    assert {units[name]["state"] for name in ("bf", "mm")} == {"waiting"}
    assert (units["base"]["state"], units["base"]["exit"]) == ("failed", 3)
    assert machine.hftstack("status", "s").code == 5
    machine.down()


def test_up_waits_no_longer_than_it_is_told(machine: Machine) -> None:
    machine.write(**pair({"faults": {"slow_start": 60}}))
    done = machine.hftstack("up", machine.file, "--timeout", "0.2")
    assert done.code == 5
    assert "bf: live not reached" in done.err
    machine.hftstack("down", "s", "--now")
    assert machine.left() == {}


def test_a_connector_that_had_to_be_killed_leaves_no_shared_memory_once_it_is_to_stay_down(
    machine: Machine, paper_binaries: Path, free_port: int
) -> None:
    url = f"127.0.0.1:{free_port}"
    exchange_is_away = {"stream_url": f"ws://{url}/ws", "api_url": f"http://{url}"}
    hasty = {"health": {"startup": "1s"}, "stop": {"grace": "1s"}}
    paper = {"type": "binancefutures", "config": exchange_is_away, **hasty}
    machine.write(source={"path": str(paper_binaries.parent.parent)}, connectors={"bf": paper})
    assert machine.hftstack("up", machine.file).code == 5
    for pid in machine.pids().values():
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)

    assert machine.hftstack("down", "s").code == 5
    assert machine.left() == {}
    assert machine.happened("repaired") == ["bf"]


def test_a_connector_that_had_crashed_leaves_no_shared_memory_after_down(machine: Machine) -> None:
    machine.write(connectors={"bf": {"type": "sim", "restart": {"policy": "never"}}})
    machine.up()
    os.kill(machine.pids()["bf"] or 0, signal.SIGKILL)
    machine.until_units(lambda units: units["bf"]["state"] == "failed")
    assert machine.shared_memory()  # for who looks into what happened

    machine.down()


def test_ctrl_c_stops_what_this_up_started_and_nothing_else(machine: Machine) -> None:
    machine.write(connectors={"bf": {"type": "sim"}})
    machine.up()
    bf = machine.pids()["bf"]
    slow: dict[str, Any] = {"type": "sim", "config": {"faults": {"slow_start": 60}}}
    machine.write(connectors={"bf": {"type": "sim"}, "by": slow})
    up = machine.begin("up", machine.file)
    machine.until_units(lambda units: units["by"]["pid"])
    up.process.send_signal(signal.SIGINT)
    done = up.done()
    assert done.code == 130, done.said
    assert "Traceback" not in done.said
    units = machine.units()
    assert (units["bf"]["pid"], units["by"]["state"]) == (bf, "stopped")
    machine.down()


def test_ctrl_c_in_a_first_up_leaves_nothing(machine: Machine) -> None:
    machine.write(**pair({"faults": {"slow_start": 60}}))
    up = machine.begin("up", machine.file)
    machine.until_units(lambda units: units["bf"]["pid"])
    up.process.send_signal(signal.SIGINT)
    assert up.done().code == 130
    assert machine.left() == {}


def test_in_the_foreground_sigterm_means_an_ordered_down(machine: Machine) -> None:
    machine.write(**pair())
    up = machine.begin("up", machine.file, "--foreground")
    machine.until_units(lambda units: units["mm"]["state"] == "up")
    assert machine.guardian() == up.process.pid
    assert machine.hftstack("up", machine.file, "--foreground").code == 7
    up.process.send_signal(signal.SIGHUP)
    up.process.send_signal(signal.SIGTERM)
    done = up.done()
    assert done.code == 0, done.said
    assert machine.happened("exit") == ["mm", "bf"]
    assert machine.left() == {}


def test_status_shows_what_has_changed_since_up_and_an_up_takes_it_up(machine: Machine) -> None:
    program = machine.script("rest.sh", "exec sleep 1000")
    machine.write(services={"rest": {"command": [program]}})
    here, elsewhere = {"TZ": "UTC"}, {"TZ": "CET"}
    assert machine.hftstack("up", machine.file, env=here).code == 0
    assert json.loads(machine.hftstack("status", "--format", "json", env=here).out)["drift"] == []
    machine.script("rest.sh", "exec sleep 1001")
    machine.file.write_text(machine.file.read_text() + "# reviewed\n")
    done = machine.hftstack("status", env=elsewhere)
    assert done.code == 0
    assert done.out.splitlines()[2:] == [
        f"drift: {machine.file} has changed since `up`",
        f"drift: rest: {program} has changed since `up`",
        "drift: TZ here is not what `up` had: an `up` from here restarts what inherits it",
    ]
    assert machine.hftstack("up", machine.file, env=elsewhere).code == 0
    assert json.loads(machine.hftstack("status", "--format", "json", env=elsewhere).out)["drift"] == []
    machine.down()
