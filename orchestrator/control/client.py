"""The other end of the control socket: blocking, and light to import."""

from __future__ import annotations

import json
import select
import socket
import struct
import time
from typing import TYPE_CHECKING, Any, Final, Self

from orchestrator.control import messages
from orchestrator.errors import HftstackError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

_WENT_AWAY: Final = "the supervisor went away"


class NotSupervisedError(HftstackError):
    """Raised when no supervisor listens on the stack's socket."""

    exit_code = 5


class Client:
    """A connection to a stack's supervisor. Not for use by several threads."""

    def __init__(self, path: Path, *, timeout: float = 5.0) -> None:
        """Connect. `timeout` in seconds bounds the wait for each message of a call that names no other.

        Raises NotSupervisedError when nobody listens, RefusedError when we may not.
        """
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._timeout = timeout
        self._socket.settimeout(timeout)
        self._buffer = b""
        self._next = 0
        try:
            self._socket.connect(str(path))
        except PermissionError:
            self._socket.close()
            raise RefusedError("this stack belongs to another user", where=str(path)) from None
        except OSError:
            self._socket.close()
            raise NotSupervisedError("no supervisor is running", where=str(path)) from None

    @property
    def pid(self) -> int:
        """The process at the other end (SO_PEERCRED, unix(7)); 0 when it is in a pid namespace out of our sight."""
        pid: int = struct.unpack("3i", self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        return pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def call(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        heard: Callable[[str, dict[str, Any]], None] | None = None,
        patient: bool = False,
    ) -> Any:  # noqa: ANN401 - JSON
        """Ask and return the result; notifications that come before it go to `heard`.

        `patient` waits for as long as it takes. Raises the error that the other side raised, NotSupervisedError when
        the supervisor goes away meanwhile.
        """
        identifier = self.send(method, params)
        for message in self.messages(patient=patient):
            if message.get("id") == identifier:
                if "error" in message:
                    raise messages.raised(message["error"])
                return message.get("result")
            if "id" in message and message["id"] is None and "error" in message:
                raise messages.raised(message["error"])
            if heard is not None and "method" in message:
                heard(message["method"], message.get("params", {}))
        raise NotSupervisedError(_WENT_AWAY, hint="`hftstack up` takes its units over")

    def send(self, method: str, params: dict[str, Any] | None = None) -> int:
        """Ask without waiting; returns the id that the answer will carry."""
        self._next += 1
        try:
            self._socket.sendall(messages.line({"id": self._next, "method": method, "params": params or {}}))
        except OSError:
            raise NotSupervisedError(_WENT_AWAY) from None
        return self._next

    def hear(self, within: float | None) -> list[dict[str, Any]]:
        """Wait for notifications, at most `within` seconds, None for ever; return all that have come by then.

        Raises NotSupervisedError when the supervisor goes away.
        """
        heard: list[dict[str, Any]] = []
        until = None if within is None else time.monotonic() + within
        while True:
            *complete, self._buffer = self._buffer.split(b"\n")
            heard += [message for message in map(json.loads, complete) if "method" in message]
            left = 0.0 if heard else None if until is None else max(0.0, until - time.monotonic())
            try:
                if not select.select([self._socket], [], [], left)[0]:
                    return heard
                chunk = self._socket.recv(1 << 16)
            except OSError:
                chunk = b""
            if not chunk:
                raise NotSupervisedError(_WENT_AWAY)
            self._buffer += chunk

    def messages(self, *, patient: bool = False) -> Iterator[dict[str, Any]]:
        """Yield what the supervisor says until it hangs up."""
        self._socket.settimeout(None if patient else self._timeout)
        while True:
            head, found, rest = self._buffer.partition(b"\n")
            if found:
                self._buffer = rest
                yield json.loads(head)
                continue
            try:
                chunk = self._socket.recv(1 << 16)
            except TimeoutError:
                raise NotSupervisedError(
                    f"the supervisor did not answer within {self._timeout:g} s", hint="is it stopped (SIGSTOP)?"
                ) from None
            except OSError:
                return
            if not chunk:
                return
            self._buffer += chunk
