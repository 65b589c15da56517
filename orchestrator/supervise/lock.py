"""One supervisor and one guardian a stack: locks on files, released by the kernel when their holder dies.

An open file description lock (F_OFD_SETLK, fcntl(2)): who asks whether it is held takes nothing, so that a question can
never keep a supervisor from starting.
"""

from __future__ import annotations

import fcntl
import os
import struct

TYPE_CHECKING = False  # `typing` would cost the guardian 1.8 MiB
if TYPE_CHECKING:
    from os import PathLike
    from typing import Final

_FLOCK: Final = struct.Struct("hhqqi4x")
_WHOLE: Final = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


def acquire(path: PathLike[str] | str) -> int | None:
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
            if os.stat(path).st_ino == os.fstat(descriptor).st_ino:  # noqa: PTH116 - pathlib would cost 2 MiB
                _write_pid(descriptor)
                return descriptor
        except FileNotFoundError:
            pass
        os.close(descriptor)


def _write_pid(descriptor: int) -> None:
    try:
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
    except OSError:
        return  # a full disk: the pid is for people


def holder(path: PathLike[str] | str) -> int | None:
    """Return the pid of the process that holds the lock, 0 when it did not say; None when nobody does."""
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
