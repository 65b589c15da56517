"""The clock: exchanges refuse orders whose time is off, and recorded data is worth what its times are."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Final

from orchestrator.doctor.finding import ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.doctor.finding import Case, Finding

_UNSYNCHRONISED: Final = 0x40
"""STA_UNSYNC, and the state TIME_ERROR (adjtimex(2))."""

_ERROR: Final = 5
_MOST: Final = 500_000
"""Microseconds that the clock may be off by its own account."""

_CURE: Final = "timedatectl set-ntp true, or run chrony"


class _Timex(ctypes.Structure):
    """struct timex (adjtimex(2)), as far as it is read; the kernel writes 208 bytes."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


def synchronised(case: Case) -> Iterator[Finding]:
    """Judge whether somebody keeps the clock right."""
    del case
    told = _Timex()
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(told))
    if state < 0:
        yield warning("the kernel does not tell whether the clock is synchronised", _CURE)
        return
    yield judge(state, told.status, told.maxerror)


def judge(state: int, status: int, most: int) -> Finding:
    """Judge what adjtimex(2) told: its state, the status bits, and the largest error in microseconds."""
    if state == _ERROR or status & _UNSYNCHRONISED:
        return warning("the clock is not synchronised: orders are refused (recvWindow) once it is off", _CURE)
    if most > _MOST:
        return warning(f"the clock may be off by {most / 1e6:.1f} s", _CURE)
    return ok(f"the clock is synchronised, off by {most / 1e3:.1f} ms at most")
