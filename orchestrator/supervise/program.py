"""A program of the operator's that is run to its end beside the units: a check, a hook.

It has a session of its own, and what is left of that ends with it. Nothing here waits for anybody: what it reads lies
ready in a file in memory, and what it writes goes nowhere.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from orchestrator.supervise import process as processes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SCRIPT: Final = 'cd -- "$1" || exit 126; unset OLDPWD; shift; exec "$@"'
_LOOK: Final = 0.05
_KILLED_WITHIN: Final = 1.0


async def run(
    argv: Sequence[str],
    *,
    cwd: str,
    env: Mapping[str, str],
    timeout: float,  # noqa: ASYNC109 - the program's, not ours
    spared: set[int],
    stdin: bytes = b"",
    grace: float = 0.0,
    linger: bool = False,
) -> int | None:
    """Return its exit code, negative for a signal; None when it had to be ended. Raises OSError.

    The last `grace` of its `timeout` seconds begin with SIGTERM and end with SIGKILL of its session. `linger`: what it
    leaves in the background has the rest of that time too, and counts as its own. `spared` holds its pid meanwhile.
    """
    until = asyncio.get_running_loop().time() + timeout
    program = _Program(_spawn(argv, cwd, env, stdin))
    spared.add(program.pid)
    try:
        if await program.is_over(until - grace, linger=linger):
            return program.code
        program.signal(signal.SIGTERM)
        await program.is_over(until, linger=linger)
        return None
    finally:
        await program.end()
        spared.discard(program.pid)


def _spawn(argv: Sequence[str], cwd: str, env: Mapping[str, str], stdin: bytes) -> int:
    source = os.memfd_create("stdin")
    try:
        os.write(source, stdin)
        os.lseek(source, 0, os.SEEK_SET)
        return os.posix_spawn(
            "/bin/sh",
            ["/bin/sh", "-c", _SCRIPT, "run", cwd, *argv],
            env,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, source, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=processes.ignored_signals(),
        )
    finally:
        os.close(source)


class _Program:
    """A child that leads a session. `code` is known when it has ended."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.code: int | None = None
        self._ended = asyncio.Event()
        self._pidfd = os.pidfd_open(pid)
        asyncio.get_running_loop().add_reader(self._pidfd, self._reap)

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, os.WNOHANG)[1])
        asyncio.get_running_loop().remove_reader(self._pidfd)
        self._ended.set()

    async def is_over(self, until: float, *, linger: bool) -> bool:
        """Wait for its end, with `linger` for that of its whole process group; tell whether it came in time."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await self._ended.wait()
                    if not linger or not self._has_group():
                        return True
                    await asyncio.sleep(_LOOK)
                    continue
            return False

    def signal(self, number: signal.Signals) -> None:
        """Signal everything in its session."""
        processes.signal_all(processes.present(processes.session_members(self.pid)), number)

    async def end(self) -> None:
        """Kill what is left of it."""
        if not self._ended.is_set() or self._has_group():
            self.signal(signal.SIGKILL)
        with suppress(TimeoutError):
            async with asyncio.timeout(_KILLED_WITHIN):  # held in the kernel: whoever reaps orphans reaps it
                await self._ended.wait()
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)

    def _has_group(self) -> bool:
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True
