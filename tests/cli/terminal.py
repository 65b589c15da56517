"""A terminal of a chosen size, and a program on it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from contextlib import suppress
from select import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """Runs a program on a pseudo-terminal; collects what it writes there."""

    def __init__(
        self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], columns: int = 80, lines: int = 24
    ) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.process = subprocess.Popen(
            argv, cwd=cwd, env=env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        os.close(slave)
        self.raw = ""

    @property
    def text(self) -> str:
        """What was written, without control sequences."""
        return _CONTROL.sub("", self.raw).replace("\r", "")

    def shows(self, text: str) -> bool:
        """Read what there is, and tell whether the text was written by now."""
        self._read(0.05)
        return text in self.raw

    def write(self, line: str) -> None:
        """Type a line."""
        os.write(self._master, f"{line}\n".encode())

    def interrupt(self) -> None:
        """Do what Ctrl-C does."""
        os.kill(self.process.pid, signal.SIGINT)

    def end(self, seconds: float = 30.0) -> int:
        """Read to the end and return the exit code."""
        while self._read(seconds):
            pass
        code = self.process.wait(seconds)
        os.close(self._master)
        return code

    def _read(self, seconds: float) -> bool:
        if not select([self._master], [], [], seconds)[0]:
            return False
        data = b""
        with suppress(OSError):  # EIO: nobody is on the other side any more (pty(7))
            data = os.read(self._master, 1 << 16)
        self.raw += data.decode(errors="replace")
        return bool(data)
