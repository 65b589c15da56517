from __future__ import annotations

import os
import socket
from contextlib import closing

import pytest

from orchestrator.deployment.model import Endpoint
from orchestrator.supervise.sockets import Connections, Proof, proof


def _of(pid: int) -> set[tuple[str, int]]:
    return set(Connections().of(pid, 0.0))


@pytest.mark.parametrize(
    ("family", "address", "seen"),
    [
        (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET6, "::1", "::1"),
        (socket.AF_INET6, "::ffff:127.0.0.1", "127.0.0.1"),
    ],
)
def test_a_connection_is_seen_while_it_is_established(family: int, address: str, seen: str) -> None:
    listening = "127.0.0.1" if seen == "127.0.0.1" else "::1"
    with closing(socket.socket(socket.AF_INET if listening == "127.0.0.1" else socket.AF_INET6)) as server:
        try:
            server.bind((listening, 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
        server.listen()
        port = server.getsockname()[1]
        assert (seen, port) not in _of(os.getpid())
        with closing(socket.socket(family)) as client:
            client.connect((address, port))
            assert (seen, port) in _of(os.getpid())
        assert (seen, port) not in _of(os.getpid())


def test_a_listening_socket_and_a_process_that_is_gone_have_no_connection() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        assert not any(remote[1] == port for remote in _of(os.getpid()))
    assert _of(1 << 22) == set()


def test_a_table_is_read_once_for_all_who_ask_at_one_instant_and_again_for_who_asks_later() -> None:
    connections = Connections()
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as server,
        closing(socket.create_connection(server.getsockname())),
    ):
        remote = server.getsockname()
        assert remote in connections.of(os.getpid(), 1.0)
        with (
            closing(socket.create_server(("127.0.0.1", 0))) as another,
            closing(socket.create_connection(another.getsockname())),
        ):
            assert another.getsockname() not in connections.of(os.getpid(), 1.0)
            assert another.getsockname() in connections.of(os.getpid(), 1000.0)


@pytest.mark.parametrize(
    ("remotes", "shared", "expected"),
    [
        ([], False, Proof.NONE),
        ([("10.0.0.1", 80)], False, Proof.NONE),
        ([("10.0.0.1", 443)], False, Proof.PROVEN),
        ([("10.0.0.9", 443)], False, Proof.UNPROVEN),
        ([("10.0.0.9", 443), ("10.0.0.2", 443)], False, Proof.PROVEN),
        ([("10.0.0.1", 443)], True, Proof.UNPROVEN),
    ],
)
def test_a_stream_is_proven_by_an_address_of_its_host_at_its_port(
    remotes: list[tuple[str, int]], *, shared: bool, expected: Proof
) -> None:
    endpoint = Endpoint("exchange.example", 443, shared=shared)
    assert proof(endpoint, {"10.0.0.1", "10.0.0.2"}, remotes) is expected
