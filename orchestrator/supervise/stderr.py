"""Standard error of guardian and supervisor, who must survive what it is: a full disk, a pipe that nobody reads.

They write there what nobody else hears: tracebacks, and who takes over from whom.
"""

from __future__ import annotations

import io
import os
import select
import sys

TYPE_CHECKING = False  # the guardian goes without `typing`
if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_DESCRIPTOR = 2


class _Spared(io.RawIOBase):
    """Writes what the descriptor takes at once, and drops the rest."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def fileno(self) -> int:
        return self._descriptor

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        view = memoryview(data).cast("B")
        for begin in range(0, len(view), select.PIPE_BUF):
            try:
                if not self._poll.poll(0):
                    break
                os.write(self._descriptor, view[begin : begin + select.PIPE_BUF])
            except OSError:
                break
        return len(view)


def spared(descriptor: int) -> io.TextIOWrapper:
    """Return a text file over a descriptor that neither fails nor waits."""
    raw = io.BufferedWriter(_Spared(descriptor), select.PIPE_BUF)
    return io.TextIOWrapper(raw, "utf-8", "backslashreplace", line_buffering=True)


def spare_stderr() -> None:
    """Let no write to `sys.stderr` fail or wait from now on."""
    sys.stderr = spared(_DESCRIPTOR)
