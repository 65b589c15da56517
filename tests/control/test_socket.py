"""The control socket between a real server and what connects to it, friendly or not."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.control import messages
from orchestrator.control.client import Client, NotSupervisedError
from orchestrator.control.server import listen
from orchestrator.errors import NotReachedError, RefusedError, UsageError
from tests.children import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.control.server import Connection, Handler

_ERRORS = {"usage": UsageError, "target": NotReachedError, "refused": RefusedError}


class _Service:
    """What is called in these tests."""

    def __init__(self) -> None:
        self.connections: list[Connection] = []

    async def echo(self, connection: Connection, params: dict[str, Any]) -> object:
        self.connections.append(connection)
        return params

    async def fail(self, _: Connection, params: dict[str, Any]) -> object:
        raise _ERRORS[params["kind"]]("it does not", where="bf", hint="let it be", detail="line")

    async def break_(self, _: Connection, __: dict[str, Any]) -> object:
        raise OSError(28, "No space left on device")

    async def tell(self, connection: Connection, params: dict[str, Any]) -> object:
        for number in range(params["times"]):
            connection.notify("event", {"number": number, "text": "x" * params.get("size", 1)})
        return {}

    async def never(self, _: Connection, __: dict[str, Any]) -> object:
        await asyncio.Event().wait()
        return {}


@contextmanager
def _serving(path: Path, service: _Service) -> Iterator[None]:
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    leave = asyncio.Event()

    async def serve() -> None:
        methods: dict[str, Handler] = {
            "echo": service.echo,
            "fail": service.fail,
            "break": service.break_,
            "tell": service.tell,
            "never": service.never,
        }
        server = await listen(path, methods)
        ready.set()
        await leave.wait()
        server.close()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(leave.set)
        thread.join(10)


@pytest.fixture
def service() -> _Service:
    return _Service()


@pytest.fixture
def path(tmp_path: Path, service: _Service) -> Iterator[Path]:
    """A socket on which `service` is served."""
    place = tmp_path / "control.sock"
    with _serving(place, service):
        yield place


@contextmanager
def _raw(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(path))
        yield connection


def _answer(path: Path, request: bytes) -> dict[str, Any]:
    with _raw(path) as connection:
        connection.sendall(request)
        with connection.makefile("rb") as lines:
            found: dict[str, Any] = json.loads(lines.readline())
    return found


def _works(path: Path) -> bool:
    with Client(path) as client:
        return bool(client.call("echo", {"a": 1}) == {"a": 1})


def test_a_call_returns_what_the_method_returned(path: Path) -> None:
    with Client(path) as client:
        assert client.call("echo", {"text": "grüße", "list": [1, None]}) == {"text": "grüße", "list": [1, None]}
        assert client.call("echo") == {}
        assert client.pid == os.getpid()


def test_what_is_told_before_the_answer_is_heard_in_order(path: Path) -> None:
    heard: list[int] = []
    with Client(path) as client:
        client.call("tell", {"times": 100}, heard=lambda _, event: heard.append(event["number"]))
    assert heard == list(range(100))


@pytest.mark.parametrize("kind", _ERRORS)
def test_an_error_keeps_its_class_and_all_its_parts(path: Path, kind: str) -> None:
    with Client(path) as client, pytest.raises(_ERRORS[kind]) as caught:
        client.call("fail", {"kind": kind})
    error = caught.value
    assert (error.message, error.where, error.hint, error.detail) == ("it does not", "bf", "let it be", "line")


def test_what_a_method_did_not_foresee_is_an_answer_and_the_connection_goes_on(path: Path) -> None:
    with Client(path) as client:
        with pytest.raises(Exception, match="No space left on device"):
            client.call("break")
        assert client.call("echo", {"a": 1}) == {"a": 1}


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (b"\n", messages.PARSE_ERROR),
        (b"hello\n", messages.PARSE_ERROR),
        (b"\xff\xfe\x00\n", messages.PARSE_ERROR),
        (b"[" * 100_000 + b"\n", messages.PARSE_ERROR),
        (b"[]\n", messages.INVALID_REQUEST),
        (b"17\n", messages.INVALID_REQUEST),
        (b'{"method": 17, "id": 1}\n', messages.INVALID_REQUEST),
        (b'{"method": "echo", "params": [1], "id": 1}\n', messages.INVALID_PARAMS),
        (b'{"method": "fail", "params": {}, "id": 1}\n', messages.INVALID_PARAMS),
        (b'{"method": "__init__", "id": 1}\n', messages.METHOD_NOT_FOUND),
    ],
)
def test_what_is_no_request_is_answered_with_an_error(path: Path, request_: bytes, code: int) -> None:
    assert _answer(path, request_)["error"]["code"] == code
    assert _works(path)


def test_half_a_line_and_a_hang_up_harm_nobody(path: Path) -> None:
    for half in (b"", b'{"method": "ec', b'{"method": "never", "id": 1}\n'):
        with _raw(path) as connection:
            connection.sendall(half)
    assert _works(path)


def test_a_line_without_end_is_cut_off(path: Path) -> None:
    chunk = b"x" * (1 << 20)

    def send() -> None:
        with _raw(path) as connection:
            for _ in range(3 * messages.LINE_LIMIT // len(chunk)):
                connection.sendall(chunk)

    with pytest.raises(ConnectionError):
        send()
    assert _works(path)


def test_a_client_that_does_not_read_is_cut_off_and_others_are_served(path: Path, service: _Service) -> None:
    with _raw(path) as connection:
        connection.sendall(b'{"method": "echo", "id": 1}\n')
        until(lambda: service.connections)
        connection.sendall(b'{"method": "tell", "params": {"times": 20, "size": 1000000}, "id": 2}\n')
        until(service.connections[0].closed.is_set)
        assert _works(path)


def test_a_notification_has_no_answer(path: Path) -> None:
    with _raw(path) as connection:
        connection.sendall(b'{"method": "echo"}\n{"method": "echo", "id": 7}\n')
        with connection.makefile("rb") as lines:
            assert json.loads(lines.readline())["id"] == 7


def test_calls_on_one_connection_do_not_wait_for_each_other(path: Path) -> None:
    with Client(path) as client:
        client.send("never")
        assert client.call("echo", {"a": 1}) == {"a": 1}


def test_a_supervisor_that_does_not_answer_is_named_after_the_timeout(path: Path) -> None:
    with Client(path, timeout=0.05) as client, pytest.raises(NotSupervisedError, match="did not answer"):
        client.call("never")


def test_where_nobody_listens_is_no_supervisor(tmp_path: Path) -> None:
    with pytest.raises(NotSupervisedError):
        Client(tmp_path / "none.sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
    with pytest.raises(NotSupervisedError):
        Client(tmp_path / "dead.sock")


def test_a_supervisor_that_goes_away_is_an_error_and_no_hang(tmp_path: Path) -> None:
    place = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place))
        server.listen()
        with Client(place) as client:
            connection, _ = server.accept()
            connection.close()
            with pytest.raises(NotSupervisedError, match="went away"):
                client.call("echo")


_STRANGER = """
import os, socket, sys
connection = socket.socket(socket.AF_UNIX)
os.setgid(65534)
os.setuid(65534)
connection.connect(sys.argv[1])
connection.sendall(b'{"method": "echo", "id": 1}\\n')
while said := connection.recv(9999):
    sys.stdout.write(said.decode())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_another_user_is_refused_even_where_the_socket_lets_them(service: _Service) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "control.sock")
        with _serving(place, service):
            assert place.stat().st_mode & 0o777 == 0o600
            place.chmod(0o666)
            place.parent.chmod(0o755)
            stranger = [sys.executable, "-c", _STRANGER, str(place)]
            said = subprocess.run(stranger, check=True, capture_output=True, text=True).stdout
            assert _works(place)
    assert "user 65534 may not control this stack" in said
    assert '"result"' not in said


def test_a_socket_that_a_dead_supervisor_left_is_taken_over(tmp_path: Path, service: _Service) -> None:
    place = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(place))
    with _serving(place, service):
        assert _works(place)
