from __future__ import annotations

import asyncio
import socket
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from orchestrator.deployment.model import Endpoint, Health, ReadyCheck
from orchestrator.logs import archives, rotation
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
        if reached:
            waiting.result()
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


HOSTILE = {
    "a long line": (r".*listening on .*|^open$", "l" * 60_000),
    "nested repetition": (r"(a+)+$|^open$", "a" * 40 + "b"),
    "repetition beside repetition": (r".*a.*a.*a.*b|^open$", "a" * 3000),
    "a reference to a group": (r"(.*)(.*)\1\2b|^open$", "a" * 3000),
}


@pytest.mark.parametrize(("pattern", "line"), HOSTILE.values(), ids=HOSTILE)
def test_a_pattern_that_would_search_for_ever_is_given_up_on_a_line_and_not_on_the_next(
    log: Path, pattern: str, line: str
) -> None:
    log.write_text(f"{line}\nopen\n")
    assert _reach(ReadyCheck(log=pattern), log)


def test_patterns_that_would_search_for_ever_hold_up_nobody_and_are_told_once_each(log: Path) -> None:
    pattern, line = HOSTILE["nested repetition"]
    spec = replace(service("p"), ready=ReadyCheck(log=pattern))
    told: list[str] = []

    async def run() -> None:
        checks = [asyncio.ensure_future(until_ready(spec, str(log), set(), told.append)) for _ in range(2)]
        while len(told) < len(checks):  # noqa: ASYNC110 - polls the world outside
            await asyncio.sleep(0.01)
        for _ in range(5):
            with log.open("a") as file:
                file.write(f"{line}\n")
            await asyncio.sleep(0.01)
        assert not any(check.done() for check in checks)
        with log.open("a") as file:
            file.write("open\n")
        await asyncio.gather(*checks)

    log.write_text(f"{line}\n")
    asyncio.run(asyncio.wait_for(run(), 60))
    assert len(told) == 2
    assert "its pattern took too long" in told[0]


def test_the_beginning_of_a_line_is_searched(log: Path) -> None:
    log.write_text(f"{'x' * 3000} listening\n{'x' * 1900} listening on 80 {'x' * 60_000}\n")

    assert _reach(ReadyCheck(log=r"listening on \d+"), log)
    assert not _holds_at_once(log, r"listening$")


def _holds_at_once(log: Path, pattern: str) -> bool:
    spec = replace(service("p"), ready=ReadyCheck(log=pattern))

    async def run() -> bool:
        waiting = asyncio.ensure_future(until_ready(spec, str(log), set()))
        await asyncio.wait([waiting], timeout=0.5)
        waiting.cancel()
        await asyncio.wait([waiting])
        return not waiting.cancelled()

    return asyncio.run(run())
