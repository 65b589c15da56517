"""The kill switch: latches on disk, one for all stacks of a user and one for each, that keep everything down.

What counts is that the file exists: one that is empty or damaged halts as well, and no reboot releases it. Whoever
starts a process of a unit looks here first.
"""

from __future__ import annotations

import os
import pwd
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from orchestrator.deployment import codec
from orchestrator.deployment.codec import DecodeError
from orchestrator.deployment.homes import StackHome
from orchestrator.errors import RefusedError
from orchestrator.files import replace_file, sync_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from orchestrator.deployment.homes import Home

_FORMAT: Final = 1
_UNKNOWN: Final = "unknown"


class Scope(StrEnum):
    """What a latch keeps down."""

    USER = "user"
    STACK = "stack"


@dataclass(frozen=True, slots=True)
class Halt:
    """Why, by whom and when something was halted; `at` is nanoseconds since the epoch."""

    reason: str
    user: str
    at: int
    scope: Scope = Scope.USER
    format: int = _FORMAT

    def __str__(self) -> str:
        return f"halted by {self.user} at {self.when or 'an unknown time'}: {self.reason}"

    @property
    def when(self) -> str | None:
        """The instant as RFC 3339 in UTC, to the second; None for one that is out of bounds."""
        try:
            return f"{datetime.fromtimestamp(self.at // 1_000_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"
        except (ValueError, OverflowError, OSError):
            return None


class LatchError(RefusedError):
    """Raised when a latch could not be written as it should; `is_set` tells whether it holds all the same."""

    def __init__(self, message: str, *, where: str, is_set: bool) -> None:
        hint = "it halts all the same, without its reason" if is_set else "make room or give the right to write there"
        super().__init__(message, where=where, hint=hint)
        self.is_set = is_set


def latch(home: Home | StackHome, reason: str, user: str) -> Halt:
    """Halt all stacks of a home, or one: durably, before anything is stopped. Returns what was written.

    The newest reason counts. Raises LatchError when it could not be written: on a full disk an empty file may do.
    """
    halt = Halt(reason, user, time.time_ns(), _scope(home))
    try:
        replace_file(home.halt, codec.encode(halt), durable=True)
    except OSError as error:
        raise LatchError(
            f"the latch cannot be written: {error.strerror}", where=str(home.halt), is_set=_touch(home.halt)
        ) from None
    return halt


def release(home: Home | StackHome) -> Halt | None:
    """Let what a latch kept down be started again; returns what it said, None when nothing was halted.

    Raises RefusedError when it cannot be removed.
    """
    halt = read(home)
    if halt is None:
        return None
    try:
        home.halt.unlink(missing_ok=True)
        sync_folder(home.halt.parent)
    except OSError as error:
        raise RefusedError(f"the latch cannot be removed: {error.strerror}", where=str(home.halt)) from None
    return halt


def read(home: Home | StackHome) -> Halt | None:
    """Return a latch; None when there is none. One that cannot be read is a latch."""
    path = home.halt
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return Halt(f"the latch cannot be read: {error.strerror}", _UNKNOWN, _modified(path), _scope(home))
    try:
        return replace(codec.decode(Halt, text), scope=_scope(home))
    except DecodeError:
        why = "the latch holds no reason" if not text.strip() else "the latch is damaged"
        return Halt(f"{why}: {path}", _UNKNOWN, _modified(path), _scope(home))


def latched(home: StackHome) -> Halt | None:
    """Return what keeps a stack down: the latch of all stacks, else its own; None when nothing does."""
    return read(home.home) or read(home)


def is_latched(home: StackHome) -> bool:
    """Tell whether something keeps a stack down, at the price of two looks at the disk."""
    return _exists(home.home.halt) or _exists(home.halt)


def describe(halt: Halt | None) -> dict[str, Any] | None:
    """Return what `status --format json` says of a halt."""
    if halt is None:
        return None
    return {"reason": halt.reason, "user": halt.user, "at": halt.when, "scope": halt.scope.value}


def refuse(home: StackHome) -> None:
    """Raise RefusedError when a stack is halted: why, by whom, since when, and how to release it."""
    halt = latched(home)
    if halt is not None:
        raise refusal(home.name, halt)


def refusal(stack: str, halt: Halt) -> RefusedError:
    """Return the error that says of a stack that it is halted."""
    what, narrowed = (stack, f" --stack {stack}") if halt.scope is Scope.STACK else ("every stack of this user", "")
    return RefusedError(f"{what} is {halt}", hint=f"hftstack resume{narrowed} --reason TEXT releases it")


def user_name(environ: Mapping[str, str]) -> str:
    """Return who runs this, for people; behind sudo(8) also who asked it."""
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"user {uid}"
    asked = environ.get("SUDO_USER") if uid == 0 else None
    return f"{name} (sudo by {asked})" if asked and asked != name else name


def _scope(home: Home | StackHome) -> Scope:
    return Scope.STACK if isinstance(home, StackHome) else Scope.USER


def _touch(path: Path) -> bool:
    """Make an empty file, for which a full disk may still have room; tell whether it is there."""
    with suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        sync_folder(path.parent)
    return _exists(path)


def _exists(path: Path) -> bool:
    try:
        os.stat(path)  # noqa: PTH116 - Path.exists takes what it may not see for absent
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _modified(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return time.time_ns()
