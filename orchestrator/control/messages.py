"""What is said on the control socket, and how an error crosses it (JSON-RPC 2.0, jsonrpc.org/specification)."""

from __future__ import annotations

import json
from typing import Any, Final

from orchestrator.errors import HftstackError, NotReachedError, RefusedError, UsageError

LINE_LIMIT: Final = 64 * 1024 * 1024
"""Bytes of the longest message: a deployment of a thousand units is a few MiB."""

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
FAILED: Final = -32000

_CLASSES: Final[dict[object, type[HftstackError]]] = {
    cls.exit_code: cls for cls in (UsageError, NotReachedError, RefusedError)
}


def line(message: dict[str, Any]) -> bytes:
    """Return a message as it goes over the socket."""
    return json.dumps({"jsonrpc": "2.0", **message}, separators=(",", ":")).encode() + b"\n"


def error(identifier: object, code: int, message: str, data: object = None) -> dict[str, Any]:
    """Return an error response."""
    body: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        body["data"] = data
    return {"id": identifier, "error": body}


def failure(identifier: object, problem: HftstackError) -> dict[str, Any]:
    """Return the response that carries one of our own errors."""
    data = {
        "exit_code": problem.exit_code,
        "where": problem.where,
        "hint": problem.hint,
        "detail": problem.detail,
    }
    return error(identifier, FAILED, problem.message, data)


def raised(body: dict[str, Any]) -> HftstackError:
    """Return the error that a response carries, as the class it had on the other side."""
    data = body.get("data") or {}
    cls = _CLASSES.get(data.get("exit_code"), HftstackError)
    return cls(str(body.get("message")), where=data.get("where"), hint=data.get("hint"), detail=data.get("detail"))
