"""What bringing a deployment in does, found while a supervisor comes and goes."""

from __future__ import annotations

import socket
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.deployment.homes import locate
from orchestrator.deployment.plan import Process
from orchestrator.engine.effect import effect
from orchestrator.resolve.configs import Configs
from tests.supervise.specs import deployment, service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.deployment.homes import StackHome


@pytest.fixture
def home() -> Iterator[StackHome]:
    with tempfile.TemporaryDirectory(prefix="hft-", dir="/tmp") as folder:
        made = locate({"HFTSTACK_HOME": folder}).stack("test")
        made.prepare()
        yield made


def test_a_supervisor_that_leaves_before_it_answers_is_done_without(home: StackHome) -> None:
    def leave() -> None:
        connection, _ = server.accept()
        connection.close()

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(home.socket))
        server.listen()
        thread = threading.Thread(target=leave)
        thread.start()
        made = effect(deployment(service("a")), Configs(home.configs), home)
        thread.join()

    assert [step.process for step in made.steps] == [Process.STARTS]
    assert made.old is None


def test_the_same_is_found_twice_and_the_names_of_units_in_any_order(home: StackHome) -> None:
    units = deployment(service("a"), service("b", "a"), service("c"))
    first, second = (effect(units, Configs(Path("/c")), home, only=only) for only in (("b", "a"), ("a", "b", "a")))

    assert first == second
    assert first.only == ("a", "b")
    assert [step.process for step in first.steps] == [Process.STARTS, Process.STARTS, Process.DOWN]
