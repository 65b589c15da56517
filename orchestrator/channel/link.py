"""One connection from the connector's publisher to a bot, as its shared memory counts messages."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Final

from orchestrator.channel.layout import WORD, Layout, parse_version
from orchestrator.channel.verdict import BotLink
from orchestrator.channel.view import SHARED_MEMORY

if TYPE_CHECKING:
    from orchestrator.channel.nodes import Nodes

_COUNTERS: Final = struct.Struct("<QQ")


class Connection:
    """Message counters of one bot; until the two ports have met, both are 0 and `met` is False.

    `seen` is how many messages were written to it as far as is known, None when that is not known.
    """

    def __init__(self, pid: int, name: str, version: tuple[int, int, int], layout: Layout, *, seen: int | None) -> None:
        self.pid = pid
        self._name = name
        self._version = version
        self._offset = layout.counters
        self._descriptor = -1
        self._seen = seen

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

    def read(self) -> BotLink:
        """Read both counters in one pread."""
        if self._descriptor < 0:
            return BotLink(self.pid, 0, 0)
        counters = os.pread(self._descriptor, _COUNTERS.size, self._offset)
        return BotLink(self.pid, *(_COUNTERS.unpack(counters) if len(counters) == _COUNTERS.size else (0, 0)))

    def advance(self, written: int) -> bool:
        """Take note of how much was written; tell whether that is more than at the look before."""
        before, self._seen = self._seen, written
        return before is not None and before < written

    def skip(self) -> None:
        """Have no look this time: what the next one finds is compared with nothing."""
        self._seen = None

    def close(self) -> None:
        """Close the segment."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
