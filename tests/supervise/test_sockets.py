from __future__ import annotations

import os
import socket
from contextlib import closing

import pytest

from orchestrator.deployment.model import Endpoint
from orchestrator.supervise.sockets import Proof, established, proof


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
        assert (seen, port) not in established(os.getpid())
        with closing(socket.socket(family)) as client:
            client.connect((address, port))
            assert (seen, port) in established(os.getpid())
        assert (seen, port) not in established(os.getpid())


def test_a_listening_socket_and_a_process_that_is_gone_have_no_connection() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        assert not any(remote[1] == port for remote in established(os.getpid()))
    assert established(1 << 22) == frozenset()


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
