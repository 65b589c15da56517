from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from orchestrator.deployment.homes import locate
from orchestrator.deployment.model import Dependency, OnRestart, RestartPolicy
from orchestrator.supervise import process as processes
from orchestrator.supervise import standby
from orchestrator.supervise.family import children
from orchestrator.supervise.graph import Graph
from orchestrator.supervise.standby import Standbys, restarts
from orchestrator.supervise.starter import Starter
from orchestrator.supervise.stopping import After, Stopping
from orchestrator.supervise.unit import State, Unit
from tests.supervise.specs import bot, connector, on_restart, service

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from orchestrator.deployment.model import UnitSpec
    from orchestrator.supervise.gate import Gated

_SPEC = replace(service("a"), argv=("/bin/sleep", "1000"), env=(("PATH", "/bin"),))


class _Row:
    """The standbys of a unit named a, in a loop."""

    def __init__(self, folder: Path) -> None:
        home = locate({"HFTSTACK_HOME": str(folder / "h")}).stack("s")
        home.prepare()
        self.told: list[str] = []
        self.spared: set[int] = set()
        starter = Starter(home, home.marker, lambda _, what, __: self.told.append(what))
        self.standbys = Standbys(starter, self.spared)

    def follow(self, unit: Unit | None, spec: UnitSpec | None = _SPEC) -> None:
        units = {} if unit is None else {"a": unit}
        self.standbys.follow(Graph({} if spec is None else {"a": spec}, units, 1))

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(30):
            while not condition():  # noqa: ASYNC110 - polls the world outside
                await asyncio.sleep(0.005)

    async def started(self) -> int:
        """Return the pid of the standby once there is one."""
        self.follow(_up())
        await self.until(lambda: self.spared)
        (pid,) = self.spared
        return pid

    async def gone(self, pid: int) -> None:
        """Return once a standby is spared no more; it is reaped by then."""
        await self.until(lambda: pid not in self.spared)
        assert pid not in children()


def _up(born: int = 1) -> Unit:
    since = asyncio.get_running_loop().time() - standby.AFTER
    return Unit(State.UP, since=since, wanted=True, alive=True, born=born, running=_SPEC)


def _run(tmp_path: Path, scene: Callable[[_Row], object]) -> None:
    async def run() -> None:
        row = _Row(tmp_path)
        try:
            await scene(row)  # type: ignore[misc] # a coroutine function
        finally:
            row.standbys.end()
            await row.until(lambda: not row.spared)

    asyncio.run(run())


def _taken(row: _Row, spec: UnitSpec = _SPEC) -> Gated | None:
    return row.standbys.take("a", spec)


def test_what_waits_is_started_from_the_same_spec_and_can_be_taken_once(tmp_path: Path) -> None:
    async def scene(row: _Row) -> None:
        pid = await row.started()
        row.follow(_up())
        assert _taken(row, replace(_SPEC, argv=("/bin/sleep", "2000"))) is None
        gated = _taken(row)
        assert gated is not None
        assert gated.process.id.pid == pid
        assert row.spared == set()
        assert _taken(row) is None
        gated.abandon()
        await row.until(lambda: gated.process.reap()[0])
        gated.process.close()

    _run(tmp_path, scene)


@pytest.mark.parametrize(
    "now",
    [
        Unit(State.STOPPED),
        Unit(State.FAILED, wanted=True),
        Unit(State.FINISHED, wanted=True),
        Unit(State.LOST, wanted=True, alive=True),
        Unit(State.UP, wanted=False, alive=True),
        Unit(State.STOPPING, wanted=True, alive=True, stopping=Stopping(After.STOPPED, "", 1.0)),
        None,
    ],
)
def test_a_standby_leaves_and_is_reaped_when_its_unit_will_not_restart(tmp_path: Path, now: Unit | None) -> None:
    async def scene(row: _Row) -> None:
        pid = await row.started()
        row.follow(now)
        assert _taken(row) is None
        await row.gone(pid)

    _run(tmp_path, scene)


@pytest.mark.parametrize("spec", [None, replace(_SPEC, argv=("/bin/sleep", "2000")), replace(_SPEC, env=(("A", "1"),))])
def test_a_standby_leaves_when_the_next_process_would_be_another_one(tmp_path: Path, spec: UnitSpec | None) -> None:
    async def scene(row: _Row) -> None:
        pid = await row.started()
        row.follow(replace(_up(), state=State.STOPPING), spec)
        await row.gone(pid)

    _run(tmp_path, scene)


@pytest.mark.parametrize(
    "now",
    [
        Unit(State.WAITING, wanted=True),
        Unit(State.BACKOFF, wanted=True),
        Unit(State.STALE, wanted=True, alive=True),
        Unit(State.STOPPING, wanted=True, alive=True, stopping=Stopping(After.WAITING, "", 1.0)),
        Unit(State.STOPPING, wanted=True, alive=True, stopping=Stopping(After.FAIL, "", 1.0)),
    ],
)
def test_a_standby_stays_while_its_unit_is_on_its_way_to_a_restart(tmp_path: Path, now: Unit) -> None:
    async def scene(row: _Row) -> None:
        pid = await row.started()
        row.follow(now, replace(_SPEC, grace=99.0))
        gated = _taken(row)
        assert gated is not None
        assert gated.process.id.pid == pid
        gated.abandon()
        await row.until(lambda: gated.process.reap()[0])
        gated.process.close()

    _run(tmp_path, scene)


def test_a_standby_that_died_is_reaped_and_missed_only_until_the_next_start(tmp_path: Path) -> None:
    async def scene(row: _Row) -> None:
        pid = await row.started()
        os.kill(pid, signal.SIGKILL)
        await row.until(lambda: processes.identity(pid) is None)
        assert _taken(row) is None
        await row.gone(pid)
        row.follow(_up())
        for _ in range(5):  # turns of the loop: what is due is done in the next one
            await asyncio.sleep(0)
        assert row.spared == set()
        row.follow(_up(born=2))
        await row.until(lambda: row.spared)
        assert row.told == []

    _run(tmp_path, scene)


def test_only_what_starts_again_by_itself_has_a_standby() -> None:
    never = RestartPolicy.NEVER
    assert restarts(service("a"))
    assert restarts(connector("a"))
    assert restarts(bot("a", "bf"))
    assert restarts(bot("a", policy=RestartPolicy.ALWAYS))
    assert not restarts(bot("a"))
    assert not restarts(service("a", policy=never))
    assert not restarts(bot("a", on_restart("bf", OnRestart.KEEP), Dependency("by", on_restart=OnRestart.STOP)))
    assert not restarts(replace(connector("a"), external=True))
