"""A probe as the tests use it: one fresh round of nodes for every scan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.channel import BotLink, Location, Nodes, Probe, Reading, Verdict, locate
from tests.children import until

if TYPE_CHECKING:
    from pathlib import Path


class Look:
    def __init__(self, home: Path, name: str = "bf") -> None:
        self.location: Location = locate(home, None)
        self.nodes = Nodes(self.location)
        self.probe = Probe(self.location, name)

    def __call__(self, pid: int | None) -> Reading:
        self.nodes.refresh()
        return self.probe.scan(self.nodes, pid=pid)

    def until(self, verdict: Verdict, pid: int | None) -> Reading:
        """Wait for that verdict; other ones on the way are normal."""
        readings: list[Reading] = []

        def reached() -> bool:
            readings.append(self(pid))
            return readings[-1].verdict is verdict

        until(reached)
        return readings[-1]

    def fast(self, pid: int) -> tuple[BotLink, ...]:
        """Return the bots' counters after a look by the fast path, and a full scan where it asks for one."""
        if self.probe.fast() is None:
            self(pid)
            assert self.probe.fast() is not None
        return self.probe.bots()

    def close(self) -> None:
        self.probe.close()
        self.nodes.close()
