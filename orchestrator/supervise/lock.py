"""One supervisor a stack: a lock on a file in the runtime directory, released by the kernel when its holder dies.

An open file description lock (F_OFD_SETLK, fcntl(2)): who asks whether it is held takes nothing, so that a question can
never keep a supervisor from starting.
"""

from __future__ import annotations

import fcntl
import os
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_FLOCK: Final = struct.Struct("hhqqi4x")
_WHOLE: Final = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


def acquire(path: Path) -> int | None:
    """Return a descriptor that holds the lock while it is open, None when another process holds it.

    The holder may remove the file when it leaves, so a lock counts only on the file that is still at the path.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _WHOLE)
        except BlockingIOError:
            os.close(descriptor)
            return None
        try:
            if path.stat().st_ino == os.fstat(descriptor).st_ino:
                with suppress(OSError):  # a full disk: the pid is for people
                    os.truncate(descriptor, 0)
                    os.write(descriptor, f"{os.getpid()}\n".encode())
                return descriptor
        except FileNotFoundError:
            pass
        os.close(descriptor)


def holder(path: Path) -> int | None:
    """Return the pid of the supervisor that holds the lock, 0 when it did not say; None when nobody does."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        kind = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _WHOLE))[0]
        if kind == fcntl.F_UNLCK:
            return None
        text = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        return int(text) if text.isdecimal() else 0
    finally:
        os.close(descriptor)
