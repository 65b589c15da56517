"""Searching lines for somebody's regular expression, in a loop that must not wait for it.

Python's matcher goes back and forth: some patterns take longer than the universe on a line that does not match. But it
looks for signals as it goes (CPython's Modules/_sre/sre_lib.h, MAYBE_CHECK_SIGNALS: every 4096 steps), so that a timer
ends it. How long those steps take depends on the line, of which only the beginning is searched: of 252 pairs of pattern
and line the worst took 36 ms (measured, 3.11 to 3.13, on a busy machine). Only the main thread can search.
"""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import FrameType

MOST_CHARACTERS: Final = 2048
"""What of a line is searched."""

_PATIENCE: Final = 0.01
"""Seconds of this process's time for one line: a match takes microseconds."""


class TooLongError(Exception):
    """Raised when a pattern takes too long on a line."""


class Search:
    """A pattern that is searched for."""

    def __init__(self, pattern: str) -> None:
        self._wanted = re.compile(pattern)
        self._searching = False

    def finds(self, line: str) -> bool:
        """Tell whether the pattern matches in the beginning of a line. Raises TooLongError."""
        signal.signal(signal.SIGVTALRM, self._end)
        self._searching = True
        signal.setitimer(signal.ITIMER_VIRTUAL, _PATIENCE)
        try:
            return self._wanted.search(line, 0, MOST_CHARACTERS) is not None
        finally:
            self._searching = False
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        """End the search that is under way. The timer may ring when it has ended already."""
        if self._searching:
            self._searching = False
            raise TooLongError
