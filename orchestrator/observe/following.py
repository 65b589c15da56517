"""Following the output of units: what is written from now on, over starts and rotations."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from orchestrator.logs.output import Output
from orchestrator.observe import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from orchestrator.deployment.homes import StackHome

_POLL: Final = 0.1


class Follower:
    """Follows a unit's output over its starts: when a new log appears, the old one is read to its end first.

    `lost` counts the bytes that were given up before they could be read.
    """

    def __init__(self, home: StackHome, unit: str) -> None:
        """Begin behind the last line that is complete now."""
        self._home = home
        self.unit = unit
        self.path = next(reversed(logs.files(home, unit)), None)
        self.offset = 0 if self.path is None else _end_of_lines(self.path)
        self.lost = 0
        self._rest = b""

    @property
    def place(self) -> logs.Place:
        """Where the next line begins."""
        return logs.Place(self.path, self.offset)

    def lines(self) -> Iterator[str]:
        """Yield the lines that are complete by now."""
        while True:
            yield from self._read()
            later = [path for path in logs.files(self._home, self.unit) if self.path is None or path > self.path]
            if not later:
                return
            yield from self._read()
            if self._rest:
                yield logs.text(self._rest)
            self.path, self.offset, self._rest = later[0], 0, b""

    def _read(self) -> Iterator[str]:
        if self.path is None:
            return
        output = Output(self.path)
        while True:
            try:
                self.offset, data = output.read(self.offset)
            except OSError:
                break
            if not data:
                break
            *complete, self._rest = (self._rest + data).split(b"\n")
            yield from map(logs.text, complete)
        self.lost += output.lost


def _end_of_lines(path: Path) -> int:
    """Return the offset behind the last line of a file that has an end; 0 when it cannot be read."""
    try:
        output = Output(path)
        end = output.size()
        data = output.last(0, before=end)
    except OSError:
        return 0
    return end - (len(data) - data.rfind(b"\n") - 1)


def follow(followers: Sequence[Follower], lost: Callable[[str, int], None]) -> Iterator[tuple[str, str]]:
    """Yield (unit, line) for what they have not yielded yet, for ever; `lost` hears of bytes that no line holds."""
    while True:
        for follower in followers:
            for line in follower.lines():
                yield follower.unit, line
            if follower.lost:
                lost(follower.unit, follower.lost)
                follower.lost = 0
        time.sleep(_POLL)
