"""The gap ledger of a stack that really had gaps."""

from __future__ import annotations

import csv
import json
import os
import signal
import time
from typing import TYPE_CHECKING, Any

from tests.children import until
from tests.integration.harness import pair

if TYPE_CHECKING:
    from tests.integration.harness import Machine


def _gaps(machine: Machine, *words: str) -> list[dict[str, Any]]:
    machine.journal()
    done = machine.hftstack("gaps", "-s", "s", "--format", "json", *words)
    assert done.code == 0, done.said
    return [json.loads(line) for line in done.out.splitlines()]


def _fresh(machine: Machine) -> None:
    machine.until_units(lambda units: units["bf"]["level"] == "fresh" and units["mm"]["level"] == "ready")


def test_each_gap_of_a_channel_is_told_with_its_cause(machine: Machine) -> None:
    tell = machine.script("tell.sh", f"cat >>{machine.folder}/told")
    machine.write(pair(), notify={"command": [tell], "on": ["gap"]})
    begun = time.time_ns()
    machine.up()
    _fresh(machine)
    connector = machine.pids()["bf"]
    assert connector is not None
    os.kill(connector, signal.SIGKILL)
    machine.until_units(lambda units: units["bf"]["pid"] != connector and units["bf"]["level"] == "fresh")
    until(lambda: (machine.folder / "told").exists() and (machine.folder / "told").read_text())
    machine.journal()
    machine.kill_supervisor()
    machine.up()
    _fresh(machine)
    machine.hftstack("stop", "mm")
    machine.down()

    found = _gaps(machine)
    assert len(found) == 4, found
    first, killed, alone, stopped = found
    assert [gap["unit"] for gap in (first, killed, alone, stopped)] == ["bf"] * 4
    assert (first["cause"], first["planned"], killed["cause"], killed["planned"]) == (
        "starting",
        True,
        "SIGKILL",
        False,
    )
    assert (alone["cause"], alone["known"]) == ("nobody supervised it", False)
    assert (stopped["cause"], stopped["end"], stopped["known"]) == ("no bot is attached", None, True)
    edges = [edge for gap in (first, killed, alone) for edge in (gap["start"], gap["end"])] + [stopped["start"]]
    assert edges == sorted(edges)
    assert begun < edges[0]
    assert edges[-1] < time.time_ns()
    told = json.loads((machine.folder / "told").read_text(encoding="utf-8").splitlines()[0])
    assert (told["unit"], told["what"], told["alarm"]) == ("bf", "gap", "gap")
    assert told["text"].startswith("no fresh data for ")
    assert told["text"].endswith(" s: SIGKILL")

    seen = machine.hftstack("gaps", "-s", "s", "bf", "--format", "csv")
    rows = list(csv.DictReader(seen.out.splitlines()))
    assert [(int(row["start"]), row["end"], row["cause"], row["planned"], row["known"]) for row in rows] == [
        (gap["start"], str(gap["end"] or ""), gap["cause"], str(int(gap["planned"])), str(int(gap["known"])))
        for gap in (first, killed, alone, stopped)
    ]
    text = machine.hftstack("gaps", "-s", "s").out
    assert "nobody supervised it (data may have come)" in text
    assert " so far " in text
    assert _gaps(machine, "--since", "0s") == [stopped]
    assert machine.hftstack("gaps", "-s", "s", "mm").out == "no gaps\n"
    assert machine.hftstack("gaps", "-s", "s", "bg").code == 2
