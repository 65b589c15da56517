from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.supervise import program
from orchestrator.supervise.process import session_members
from tests.children import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ENV = {"PATH": "/usr/bin:/bin"}


def _run(line: str, *, timeout: float = 20.0, cwd: str = "/", **more: Any) -> int | None:  # noqa: ANN401 - its options
    """Run a line of shell; nothing of it is left and nothing is spared when it is over."""
    spared: set[int] = set()

    async def go() -> int | None:
        argv = ("/bin/sh", "-c", line)
        return await program.run(argv, cwd=cwd, env=_ENV, timeout=timeout, spared=spared, **more)

    code = asyncio.run(go())
    assert spared == set()
    return code


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Path]:
    """A file into which a line writes the session that it leads; nothing of that is left."""
    file = tmp_path / "session"
    yield file
    until(lambda: session_members(int(file.read_text())) == [])


@pytest.mark.parametrize(("line", "code"), [("true", 0), ("exit 3", 3), ("kill -USR1 $$", -10), ("exec no-such", 127)])
def test_a_program_ends_with_its_code(line: str, code: int) -> None:
    assert _run(line) == code


def test_it_finds_its_folder_and_what_it_reads_and_no_more_environment(tmp_path: Path) -> None:
    big = os.urandom(300_000).hex().encode()
    assert _run("cat >in; pwd >where; env >env", cwd=str(tmp_path), stdin=big) == 0
    assert (tmp_path / "in").read_bytes() == big
    assert (tmp_path / "where").read_text().strip() == str(tmp_path)
    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert names <= {"PATH", "PWD", "_", "SHLVL"}


def test_one_that_reads_nothing_and_closes_its_stdin_is_none_the_worse() -> None:
    assert _run("exec <&-; exit 4", stdin=b"x" * 1_000_000) == 4


def test_a_missing_folder_and_a_missing_program_have_the_shells_codes() -> None:
    assert _run("true", cwd="/no/such/folder") == 126
    spared: set[int] = set()
    assert asyncio.run(program.run(["/no/such"], cwd="/", env={}, timeout=20, spared=spared)) == 127


def test_a_flood_goes_nowhere_and_ends_in_time() -> None:
    assert _run("exec yes", timeout=0.3) is None


def test_one_that_hangs_is_asked_and_then_killed_with_its_session(session: Path) -> None:
    asked = session.with_name("asked")
    line = f"trap 'touch {asked}' TERM; echo $$ >{session}; sh -c 'trap \"\" TERM; sleep 1000' & while :; do wait; done"
    assert _run(line, timeout=1.0, grace=0.6) is None
    assert asked.exists()


def test_what_it_leaves_in_the_background_ends_with_it(session: Path) -> None:
    assert _run(f"echo $$ >{session}; sleep 1000 & exit 5") == 5


def test_one_that_may_linger_has_its_background_finished(session: Path) -> None:
    done = session.with_name("done")
    assert _run(f"echo $$ >{session}; (sleep 0.2; touch {done}) & exit 0", linger=True) == 0
    assert done.exists()


def test_one_that_lingers_for_ever_is_ended_in_time(session: Path) -> None:
    assert _run(f"echo $$ >{session}; sleep 1000 & exit 0", linger=True, timeout=0.3) is None


def test_a_cancelled_run_leaves_nothing(session: Path) -> None:
    async def go() -> set[int]:
        spared: set[int] = set()
        argv = ("/bin/sh", "-c", f"trap '' TERM; echo $$ >{session}; sleep 1000; :")
        task = asyncio.ensure_future(program.run(argv, cwd="/", env=_ENV, timeout=20, spared=spared))
        while not (session.exists() and session.read_text()):  # noqa: ASYNC110 - polls a file
            await asyncio.sleep(0.005)
        assert spared == {int(session.read_text())}
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        return spared

    assert asyncio.run(go()) == set()


def test_its_stdin_is_no_pipe_that_could_block() -> None:
    assert _run("test ! -p /dev/stdin && test ! -t 0") == 0
