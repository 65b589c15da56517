"""What becomes of connectors by what is seen of them: real processes and channels, on a clock of the test's own."""

from __future__ import annotations

import shutil
import socket
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.channel import Verdict, locate
from orchestrator.deployment.model import Channel, Endpoint, Health, Level
from orchestrator.supervise import graph as graphs
from orchestrator.supervise import process as processes
from orchestrator.supervise.graph import Graph
from orchestrator.supervise.names import Names
from orchestrator.supervise.process import Process
from orchestrator.supervise.unit import Note, State, Tick, Unit
from orchestrator.supervise.watch import Watch
from tests.children import until
from tests.supervise.specs import bot, connector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.children import Child, Children

_REPOSITORY = Path(__file__).parent.parent.parent
_SILENT = "[faults]\nsilent_after = 0.0\n"
_CONNECTED = """
import socket, sys
from orchestrator.sim.__main__ import main
stream = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sys.exit(main(["connector", "bf"]))
"""


@dataclass
class _Scene:
    """A connector `bf`, and whoever is attached to it, under the eyes of a supervisor that has just begun."""

    home: Path
    children: Children
    port: int
    graph: Graph
    watch: Watch
    units: dict[str, Process]
    now: float = 0.0

    def connector(self, *, connected: bool) -> Child:
        """Start the connector; `connected`: it holds a connection to its exchange."""
        if not connected:
            return self.children.sim("connector", "bf", _SILENT)
        env = {"PYTHONPATH": str(_REPOSITORY), "PATH": "/usr/bin:/bin"}
        return self.children.start(self.children.python, "-c", _CONNECTED, str(self.port), env=env)

    def take_over(self, **children: Child) -> None:
        """Know units as a supervisor does that finds them running."""
        where = locate(self.home, None)
        health = Health(first_message=1e9)
        bf = replace(
            connector("bf"),
            channel=Channel("bf", str(where.root), where.prefix),
            streams=(Endpoint("127.0.0.1", self.port),),
            health=health,
        )
        specs = {spec.name: spec for spec in (bf, replace(bot("mm", "bf"), attaches=("bf",)))}
        for born, (name, child) in enumerate(children.items(), 1):
            who = processes.identity(child.pid)
            assert who is not None
            process = Process.adopt(who, marker=f"u/{name}/t/{child.pid}", log=None)
            assert process is not None
            self.units[name] = process
            found = Unit(State.STARTING, begun=-3600.0, wanted=True, alive=True, born=born, running=specs[name])
            found = replace(found, spawned=-3600.0, deadline=health.startup)
            self.graph = replace(
                self.graph,
                specs={**self.graph.specs, name: specs[name]},
                units={**self.graph.units, name: found},
                births=born,
            )
        self.watch.track("bf", bf, children["bf"].pid)

    def look(self) -> list[str]:
        """Look once; returns what the journal is told of the connector."""
        events = self.watch.look(self.graph, self.units, self.now)
        due = [name for name, unit in self.graph.units.items() if unit.deadline is not None]
        events += [(name, Tick()) for name in due]
        told = []
        for name, event in events:
            self.graph, todo = graphs.step(self.graph, name, event, self.now)
            told += [action.what for unit, action in todo if unit == "bf" and isinstance(action, Note)]
        return told

    def passes(self, seconds: float) -> list[str]:
        told = []
        for _ in range(int(seconds)):
            self.now += 1.0
            told += self.look()
        return told

    def verdict(self) -> Verdict | None:
        view = self.watch.view("bf")
        return None if view is None or view.reading is None else view.reading.verdict

    def until_seen(self, verdict: Verdict, bots: int = 0) -> None:
        """Let next to no time pass until the channel is seen like that."""

        def seen() -> bool:
            self.now += 1e-6
            self.watch.hurry("bf")
            self.look()
            view = self.watch.view("bf")
            return self.verdict() is verdict and view is not None and len(view.bots) == bots

        until(seen)

    @property
    def bf(self) -> Unit:
        return self.graph.units["bf"]


@pytest.fixture
def scene(home: Path, children: Children) -> Iterator[_Scene]:
    """Sets a scene; the exchange accepts what connects, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as exchange:
        made = _Scene(home, children, exchange.getsockname()[1], Graph(), Watch(Names()), {})
        yield made
        made.watch.forget("bf")
        for process in made.units.values():
            process.close()


def test_a_connector_whose_files_are_removed_while_its_stream_is_connected_is_left_alone(scene: _Scene) -> None:
    child = scene.connector(connected=True)
    scene.take_over(bf=child)
    scene.until_seen(Verdict.LIVE)
    assert scene.bf.state is State.UP
    shutil.rmtree(scene.home / "iox")
    told = scene.passes(120.0)
    assert (scene.verdict(), scene.bf.state, scene.bf.level) == (Verdict.SPLIT, State.UP, Level.STARTED)
    assert set(told) <= {"level"}


def test_one_that_is_taken_over_like_that_is_not_ended_for_never_being_live(scene: _Scene) -> None:
    child = scene.connector(connected=True)
    scene.take_over(bf=child)
    scene.until_seen(Verdict.LIVE)
    shutil.rmtree(scene.home / "iox")
    scene.take_over(bf=child)
    told = scene.passes(120.0)
    assert (scene.verdict(), scene.bf.state) == (Verdict.SPLIT, State.STARTING)
    assert [what for what in told if what != "level"] == ["overdue"]


@pytest.mark.parametrize("attached", [True, False])
def test_one_that_is_taken_over_without_its_stream_is_stale_when_bots_rely_on_it(
    scene: _Scene, *, attached: bool
) -> None:
    child = scene.connector(connected=False)
    attachment = {"mm": scene.children.sim("bot", "bf")} if attached else {}
    scene.take_over(bf=child, **attachment)
    scene.until_seen(Verdict.LIVE, bots=len(attachment))
    told = scene.passes(120.0)
    assert [what for what in told if what != "level"] == (["overdue", "stale"] if attached else ["overdue"])
    assert scene.bf.state is (State.STALE if attached else State.STARTING)
    if attached:
        assert scene.bf.why == "its connection to the exchange has been gone for 30 s"
