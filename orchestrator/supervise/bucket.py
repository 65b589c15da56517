"""How often a user's connectors may be started for one exchange: a bucket of tokens that all stacks share.

Exchanges ban addresses that connect too often (Binance: 300 connections in 5 minutes for each address). The buckets lie
in files, one for each host; a lock is held for as long as it takes to read and write one, and nobody waits for it.
"""

from __future__ import annotations

import fcntl
import hashlib
import ipaddress
import os
import struct
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CAPACITY: Final = 20.0
"""Starts that may follow one another at once."""

EVERY: Final = 6.0
"""Seconds in which the bucket gains a token: 50 starts in 5 minutes, of up to three connections each."""

_BUSY: Final = 0.05
"""Seconds after which to try again when somebody else holds the lock."""

_FORM: Final = struct.Struct("<dd")


class Buckets:
    """The buckets in a folder. `now` is a clock that all processes of this boot share, in seconds."""

    def __init__(self, folder: Path, now: Callable[[], float] | None = None) -> None:
        self._folder = folder
        self._now = now or _since_boot

    def take(self, host: str, *, must: bool = True) -> float:
        """Take a token for a start; returns the seconds after which to try again, 0 when there was one.

        Not `must`: whoever asks starts in any case, and takes the last token at most. An exchange on this machine has
        no bucket; neither has one whose file cannot be had.
        """
        if is_local(host):
            return 0.0
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            name = hashlib.sha256(host.encode()).hexdigest()[:16]
            descriptor = os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                return self._taken(descriptor, must=must)
            finally:
                os.close(descriptor)
        return 0.0

    def _taken(self, descriptor: int, *, must: bool) -> float:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return _BUSY if must else 0.0
        now = self._now()
        tokens = self._tokens(os.pread(descriptor, _FORM.size, 0), now)
        if tokens < 1.0 and must:
            return (1.0 - tokens) * EVERY
        os.pwrite(descriptor, _FORM.pack(max(tokens - 1.0, 0.0), now), 0)
        return 0.0

    @staticmethod
    def _tokens(text: bytes, now: float) -> float:
        """Return what is in a bucket now; one of another boot, or a damaged one, is full."""
        if len(text) != _FORM.size:
            return CAPACITY
        tokens, at = _FORM.unpack(text)
        if not (0.0 <= tokens <= CAPACITY and 0.0 <= at <= now):
            return CAPACITY
        return float(min(CAPACITY, tokens + (now - at) / EVERY))


def is_local(host: str) -> bool:
    """Tell whether an exchange's host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _since_boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
