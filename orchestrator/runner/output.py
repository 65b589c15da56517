"""What a connector writes: two files without a name, so that nobody need read them and nothing stays behind."""

from __future__ import annotations

import os
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.observe import logs

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK: Final = 1 << 20
_LAST_LINES: Final = 10


class Stream:
    """One of the two: an unlinked file that lives as long as somebody holds it."""

    def __init__(self) -> None:
        """Make an empty one. Raises OSError."""
        self.descriptor, name = tempfile.mkstemp(prefix="hftstack-")
        weakref.finalize(self, os.close, self.descriptor)
        Path(name).unlink()

    def text(self) -> str:
        """Return everything that was written so far."""
        parts = []
        offset = 0
        while part := os.pread(self.descriptor, _CHUNK, offset):
            parts.append(part)
            offset += len(part)
        return b"".join(parts).decode(errors="replace")

    def last_words(self, hide: Callable[[str], str]) -> list[str]:
        """Return the last lines, without colours and what `hide` takes out, repeats counted."""
        return logs.last_words(Path(f"/proc/self/fd/{self.descriptor}"), _LAST_LINES, hide=hide)


class Output:
    """Standard output and standard error of one connector, over all the tries of one start."""

    def __init__(self) -> None:
        """Begin with nothing written. Raises OSError."""
        self.stdout = Stream()
        self.stderr = Stream()

    def texts(self) -> tuple[str, str]:
        """Return what was written so far to standard output and to standard error."""
        return self.stdout.text(), self.stderr.text()

    def last_words(self, hide: Callable[[str], str]) -> str:
        """Return the last lines of both, without what `hide` takes out."""
        return "\n".join([*self.stdout.last_words(hide), *self.stderr.last_words(hide)])
