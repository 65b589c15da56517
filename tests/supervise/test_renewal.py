from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace

from orchestrator.deployment.model import Restart
from orchestrator.supervise.graph import Graph
from orchestrator.supervise.process import Process, ProcessId
from orchestrator.supervise.renewal import Renewal
from orchestrator.supervise.unit import State, Unit
from tests.supervise.specs import service

_MAX_AGE = 20.0


def _is_renewed(started: float, opened: float) -> bool:
    """Ask for a unit whose process was started `started` seconds ago, and its gate opened `opened` seconds ago."""
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    who = ProcessId(17, int((now - started) * os.sysconf("SC_CLK_TCK")))
    marker = f"0/h/s/proxy/0011-2233-{int((now - opened) * 1e9):x}/17"
    process = Process(who, -1, child=True, marker=marker, log=None)
    spec = replace(service("proxy"), restart=Restart(max_age=_MAX_AGE))
    graph = Graph({"proxy": spec}, {"proxy": Unit(State.UP, wanted=True, alive=True, running=spec)})
    fed: list[str] = []

    async def ask() -> None:
        renewal = Renewal(
            lambda: graph, {"proxy": process}, feed=lambda name, _: fed.append(name), note=lambda *_: None
        )
        renewal.ask()
        renewal.close()

    asyncio.run(ask())
    return fed == ["proxy"]


def test_a_unit_is_as_old_as_its_opened_gate_however_long_its_process_waited_there() -> None:
    assert not _is_renewed(started=_MAX_AGE * 2, opened=_MAX_AGE / 2)
    assert _is_renewed(started=_MAX_AGE * 3, opened=_MAX_AGE * 2)
