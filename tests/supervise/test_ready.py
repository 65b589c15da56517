from __future__ import annotations

import asyncio
import socket
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from orchestrator.deployment.model import Endpoint, Health, ReadyCheck
from orchestrator.supervise import archives, rotation
from orchestrator.supervise.family import children
from orchestrator.supervise.ready import until_ready
from tests.supervise.specs import service

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_ENV = (("PATH", "/usr/bin:/bin"),)


def _reach(check: ReadyCheck | None, log: Path, then: Callable[[], None] | None = None, startup: float = 10.0) -> bool:
    """Tell whether the check holds; `then` is done once it has been found not to hold for a while."""
    spec = replace(service("p"), ready=check, env=_ENV, health=Health(startup=startup))
    spared: set[int] = set()

    async def run() -> bool:
        waiting = asyncio.ensure_future(until_ready(spec, str(log), spared))
        done, _ = await asyncio.wait([waiting], timeout=0.1 if then else 20)
        if then is not None:
            assert not done
            then()
            await asyncio.wait([waiting], timeout=20)
        reached = waiting.done()
        waiting.cancel()
        await asyncio.wait([waiting])
        return reached

    before = set(children())
    reached = asyncio.run(run())
    assert spared == set()
    assert set(children()) <= before
    return reached


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.touch()
    return path


def test_a_service_without_a_check_is_ready_at_once(log: Path) -> None:
    assert _reach(None, log)


def test_tcp_holds_once_somebody_listens(log: Path) -> None:
    with closing(socket.socket()) as server:
        server.bind(("127.0.0.1", 0))
        check = ReadyCheck(tcp=Endpoint("127.0.0.1", server.getsockname()[1]))
        assert _reach(check, log, server.listen)


def test_a_command_holds_once_it_exits_with_0(log: Path) -> None:
    flag = log.parent / "flag"
    assert _reach(ReadyCheck(execute=("test", "-e", str(flag))), log, flag.touch)


def test_a_command_that_hangs_or_does_not_exist_is_tried_again(log: Path) -> None:
    script = log.parent / "check.sh"
    script.write_text("#!/bin/sh\nexec sleep 1000\n")
    script.chmod(0o755)

    def mend() -> None:
        script.write_text("#!/bin/sh\nexit 0\n")

    assert _reach(ReadyCheck(execute=(str(script),)), log, mend, startup=0.05)
    missing = log.parent / "missing"

    def make() -> None:
        missing.symlink_to("/bin/true")

    assert _reach(ReadyCheck(execute=(str(missing),)), log, make)


def test_a_log_line_holds_once_it_is_complete(log: Path) -> None:
    def write() -> None:
        with log.open("a") as file:
            file.write("ning on 80\n")

    with log.open("a") as file:
        file.write("not yet\nnow liste")
    assert _reach(ReadyCheck(log=r"^now listening on \d+$"), log, write)


def test_a_line_is_found_behind_megabytes_of_others(log: Path) -> None:
    with log.open("w") as file:
        file.writelines("x" * 99 + "\n" for _ in range(30_000))
        file.write("open\n")
    assert _reach(ReadyCheck(log="^open$"), log)


def test_a_line_across_the_border_of_two_reads_is_found(log: Path) -> None:
    with log.open("w") as file:
        file.write("x" * ((1 << 20) - 4) + "\nopen for business\n" + "y" * 200 + "\n")
    assert _reach(ReadyCheck(log="^open for business$"), log)


def test_a_line_that_was_rotated_is_found_by_the_next_supervisor(tmp_path: Path) -> None:
    log = tmp_path / "00000001.log"
    log.write_text("open\n" + "x\n" * 5000)
    for _ in range(3):
        assert list(rotation.rotate(log, most=2000))
    assert _reach(ReadyCheck(log="^open$"), log)
    assert log.read_bytes().startswith(bytes(5000))


def test_a_log_whose_beginning_is_gone_has_outlived_its_start(tmp_path: Path) -> None:
    log = tmp_path / "00000001.log"
    log.write_text("open\n" + "x\n" * 5000)
    assert list(rotation.rotate(log, most=2000))
    archives.remove(tmp_path, archives.of_log(log)[0], early=False)
    assert _reach(ReadyCheck(log="^open$"), log)
