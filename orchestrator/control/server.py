"""The supervisor's end of the control socket."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from orchestrator.control import messages
from orchestrator.errors import HftstackError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    Handler = Callable[["Connection", dict[str, Any]], Awaitable[object]]

_BACKLOG: Final = 8 * 1024 * 1024
_FAREWELL: Final = 1.0
_FAREWELL_BYTES: Final = 1 << 16


class Connection:
    """One client. Requests on it are served side by side; what it is told comes in the order it was said."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pid: int) -> None:
        self._reader = reader
        self._writer = writer
        self.pid = pid
        self.closed = asyncio.Event()

    def notify(self, method: str, params: dict[str, Any]) -> None:
        """Tell the client without asking for an answer. A client that does not read is cut off, not waited for."""
        if not self.closed.is_set():
            self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        if self._writer.transport.is_closing():
            return
        self._writer.write(messages.line(message))
        if self._writer.transport.get_write_buffer_size() > _BACKLOG:
            self._writer.transport.abort()
            self.closed.set()

    async def serve(self, methods: dict[str, Handler]) -> None:
        """Answer requests until the client hangs up."""
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    try:
                        text = await self._reader.readline()
                    except (ValueError, ConnectionError):
                        break
                    if not text:
                        break
                    group.create_task(self._answer(text, methods))
                self.closed.set()  # it says no more, and may still wait for answers
        finally:
            self.closed.set()
            self._writer.close()
            with suppress(OSError):
                await self._writer.wait_closed()

    async def _answer(self, text: bytes, methods: dict[str, Handler]) -> None:
        response = await self._respond(text, methods)
        if response is None:
            return
        self._send(response)
        with suppress(OSError):
            await self._writer.drain()

    async def _respond(self, text: bytes, methods: dict[str, Handler]) -> dict[str, Any] | None:
        try:
            request = json.loads(text)
        except (ValueError, RecursionError):
            return messages.error(None, messages.PARSE_ERROR, "not JSON")
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            return messages.error(None, messages.INVALID_REQUEST, "not a request")
        identifier = request.get("id")
        params = request.get("params", {})
        if not isinstance(params, dict):
            return messages.error(identifier, messages.INVALID_PARAMS, "params must be an object")
        handler = methods.get(request["method"])
        if handler is None:
            return messages.error(identifier, messages.METHOD_NOT_FOUND, f"no method {request['method']!r}")
        try:
            result = await handler(self, params)
        except HftstackError as problem:
            return messages.failure(identifier, problem)
        except (TypeError, ValueError, KeyError) as problem:
            return messages.error(identifier, messages.INVALID_PARAMS, f"{type(problem).__name__}: {problem}")
        except Exception as problem:  # noqa: BLE001 - whatever a request does, the connection and its others go on
            with suppress(OSError):
                traceback.print_exc()
            return messages.error(identifier, messages.INTERNAL_ERROR, f"{type(problem).__name__}: {problem}")
        return None if "id" not in request else {"id": identifier, "result": result}


async def listen(path: Path, methods: dict[str, Handler]) -> asyncio.Server:
    """Serve on a unix socket, mode 0600, for the same user and root only (SO_PEERCRED, unix(7))."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pid, uid = _peer(writer.get_extra_info("socket"))
        if uid not in {0, os.geteuid()}:
            refusal = messages.error(None, messages.INVALID_REQUEST, f"user {uid} may not control this stack")
            writer.write(messages.line(refusal))
            with suppress(OSError, TimeoutError):
                # closed with something unread, the socket would be reset and the refusal lost
                async with asyncio.timeout(_FAREWELL):
                    await reader.read(_FAREWELL_BYTES)
            writer.close()
            return
        with suppress(asyncio.CancelledError):
            await Connection(reader, writer, pid).serve(methods)

    return await asyncio.start_unix_server(connected, sock=_bound(path), limit=messages.LINE_LIMIT)


def _bound(path: Path) -> socket.socket:
    """Return a socket bound to the path, for its owner alone from the first instant on."""
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        bound.bind(os.fspath(path))
    except OSError:
        bound.close()
        raise
    finally:
        os.umask(mask)
    return bound


def _peer(connection: socket.socket) -> tuple[int, int]:
    pid, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return pid, uid
