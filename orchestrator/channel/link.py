"""One connection from the connector's publisher to a bot, as its shared memory counts messages."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestrator.channel.layout import WORD, Layout, parse_version
from orchestrator.channel.verdict import BotLink
from orchestrator.channel.view import SHARED_MEMORY

if TYPE_CHECKING:
    from orchestrator.channel.nodes import Nodes

_COUNTERS: Final = struct.Struct("<QQ")


class Tally(NamedTuple):
    """A bot's pid, and the descriptor and offset of its counters."""

    pid: int
    descriptor: int
    offset: int


def count(tallies: tuple[Tally, ...]) -> tuple[BotLink, ...]:
    """Read the counters of these bots, both of one in one pread."""
    size, pread, unpack, link = _COUNTERS.size, os.pread, _COUNTERS.unpack, BotLink
    found = []
    for pid, descriptor, offset in tallies:
        counters = pread(descriptor, size, offset)
        found.append(link(pid, *unpack(counters)) if len(counters) == size else link(pid, 0, 0))
    return tuple(found)


class Connection:
    """Message counters of one bot; until the two ports have met, both are 0 and `met` is False."""

    def __init__(self, pid: int, name: str, version: tuple[int, int, int], layout: Layout) -> None:
        self.pid = pid
        self._name = name
        self._version = version
        self._offset = layout.counters
        self._descriptor = -1

    @property
    def met(self) -> bool:
        """Whether the connection's segment is open."""
        return self._descriptor >= 0

    def meet(self, nodes: Nodes) -> None:
        """Open the segment if it is there by now.

        Raises:
            OSError: it is there and may not be read, or this process has no descriptors left.
        """
        name = None if self.met else nodes.shared_memory(self._name)
        if name is None:
            return
        try:
            descriptor = os.open(SHARED_MEMORY / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return
        if parse_version(os.pread(descriptor, WORD, 0)) == self._version:
            self._descriptor = descriptor
        else:
            os.close(descriptor)

    @property
    def tally(self) -> Tally:
        """Where the counters of a connection that has met are."""
        return Tally(self.pid, self._descriptor, self._offset)

    def read(self) -> BotLink:
        """Read both counters in one pread."""
        return count((self.tally,))[0] if self.met else BotLink(self.pid, 0, 0)

    def close(self) -> None:
        """Close the segment."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
