from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.channel import locate
from orchestrator.deployment.model import Channel
from orchestrator.supervise import graph as graphs
from orchestrator.supervise.lookout import EVERY, Lookout, holding
from orchestrator.supervise.process import Process, identity
from orchestrator.supervise.unit import Appeared, Exited, State, Unseen
from tests.children import until
from tests.supervise.specs import bot, deployment
from tests.supervise.test_external import BY

if TYPE_CHECKING:
    from orchestrator.deployment.model import UnitSpec
    from orchestrator.supervise.unit import Event
    from tests.children import Child, Children


class _World:
    """A stack with an external connector whose process is what the test says."""

    def __init__(self) -> None:
        self.graph, _ = graphs.apply(graphs.Graph(), deployment(BY, bot("mm", "by")), 100.0)
        self.found: Process | str | None = None
        self.looks = 0
        self.notes: list[str] = []
        self.events: list[tuple[str, Event]] = []
        self.processes: dict[str, Process] = {}
        self.lookout = Lookout(
            self.processes,
            lambda: self.graph,
            appeared=lambda name: self.feed(name, Appeared()),
            feed=self.feed,
            note=lambda _, what, text: self.notes.append(f"{what}: {text}"),
            find=self._find,
        )

    def feed(self, name: str, event: Event) -> None:
        self.events.append((name, event))
        self.graph, _ = graphs.step(self.graph, name, event, 101.0)

    def _find(self, spec: UnitSpec) -> Process | str | None:
        assert spec == BY
        self.looks += 1
        return self.found


def _adopted(child: Child) -> Process:
    who = identity(child.pid)
    assert who is not None
    process = Process.adopt(who, marker="", log=None)
    assert process is not None
    return process


def test_one_that_is_waited_for_is_looked_for_at_once_and_then_at_a_modest_rate() -> None:
    async def go() -> None:
        world = _World()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while world.looks < 3:
            world.lookout.seek()
            await asyncio.sleep(0)
            assert world.looks <= 1 + (loop.time() - begun) / EVERY
        world.lookout.close()

    asyncio.run(go())


def test_it_appears_and_ends_and_is_looked_for_again(children: Children) -> None:
    async def go() -> None:
        world = _World()
        child = children.start("/bin/sleep", "1000")
        world.found = _adopted(child)
        world.lookout.seek()
        while not world.processes:  # noqa: ASYNC110 - polls what another callback does
            await asyncio.sleep(0.005)
        assert world.events == [("by", Appeared())]
        looks = world.looks
        world.lookout.seek()
        child.kill()
        while len(world.events) < 2:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.005)
        assert world.events[1] == ("by", Exited(None))
        assert world.looks == looks
        world.lookout.let_go("by")
        assert world.processes == {}
        world.found = None
        world.lookout.seek()
        while world.looks == looks:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.005)
        assert world.graph.units["by"].state is State.WAITING
        world.lookout.close()

    asyncio.run(go())


def test_one_that_cannot_be_watched_is_told_of_once() -> None:
    async def go() -> None:
        world = _World()
        world.found = "in another pid namespace"
        world.lookout.seek()
        while world.looks < 2:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.005)
        world.lookout.close()
        assert world.events == [("by", Unseen("in another pid namespace"))]
        unit = world.graph.units["by"]
        assert (unit.state, unit.why) == (State.WAITING, "in another pid namespace")

    asyncio.run(go())


def test_nobody_is_looked_for_who_is_not_wanted() -> None:
    async def go() -> None:
        world = _World()
        world.graph, _ = graphs.stop(world.graph, ["by"], "down", 101.0)
        world.lookout.seek()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert world.looks == 0

    asyncio.run(go())


def test_the_process_that_holds_a_channel_is_found_for_as_long_as_it_does(children: Children) -> None:
    where = locate(children.home, None)
    spec = replace(BY, channel=Channel("by", str(where.root), where.prefix))
    assert holding(spec) is None
    child = children.sim("connector", "by")
    process = until(lambda: holding(spec))
    assert isinstance(process, Process)
    assert process.id.pid == child.pid
    process.close()
    child.kill()
    assert holding(spec) is None
