"""A service's ready check, tried until it holds."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.logs import archives
from orchestrator.logs.output import Output
from orchestrator.supervise import program
from orchestrator.supervise.search import Search, TooLongError

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.deployment.model import ReadyCheck, UnitSpec

_BETWEEN: Final = 0.02
_TRY: Final = 1.0
_CHUNK: Final = 1 << 16
_REST: Final = 0.1
"""Seconds for all else after a line on which a pattern took too long."""


class Checks:
    """The checks under way, one a unit at most. `spared` is what `until_ready` makes of it."""

    def __init__(self, spared: set[int], note: Callable[[str | None, str, str], None]) -> None:
        self._spared = spared
        self._note = note
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, name: str, spec: UnitSpec, log: str, ready: Callable[[], None]) -> None:
        """Call `ready` once the service's check holds."""
        self._tasks[name] = asyncio.get_running_loop().create_task(self._run(name, spec, log, ready))

    def end(self, name: str) -> None:
        """Check no more."""
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()

    def end_all(self) -> None:
        """Check nothing any more."""
        for name in list(self._tasks):
            self.end(name)

    async def _run(self, name: str, spec: UnitSpec, log: str, ready: Callable[[], None]) -> None:
        try:
            await until_ready(spec, log, self._spared, partial(self._note, name, "unexpected"))
        except Exception as error:  # noqa: BLE001 - a check that cannot be made is told, not lost
            self._note(name, "unexpected", f"ready check: {type(error).__name__}: {error}")
        else:
            ready()


async def until_ready(spec: UnitSpec, log: str, spared: set[int], tell: Callable[[str], None] = lambda _: None) -> None:
    """Return when the service's check holds; with no check, at once. The caller bounds the time by cancelling.

    `spared` receives the pids of running checks: children that whoever reaps orphans must leave alone. `tell` takes
    what the operator should know of a check that may never hold.
    """
    check = spec.ready
    if check is None:
        return
    if check.log is not None:
        await _until_logged(check.log, log, tell)
        return
    while not await _holds(check, spec, spared):  # noqa: ASYNC110 - polls the world outside
        await asyncio.sleep(_BETWEEN)


async def _holds(check: ReadyCheck, spec: UnitSpec, spared: set[int]) -> bool:
    if check.tcp is not None:
        try:
            async with asyncio.timeout(_TRY):
                _, writer = await asyncio.open_connection(check.tcp.host, check.tcp.port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True
    if check.execute is not None:
        return await _succeeds(check.execute, spec, spared)
    return True


async def _succeeds(argv: tuple[str, ...], spec: UnitSpec, spared: set[int]) -> bool:
    timeout = max(_TRY, spec.health.startup)
    try:
        return await program.run(argv, cwd=spec.cwd, env=dict(spec.env), timeout=timeout, spared=spared) == 0
    except OSError:
        return False


async def _until_logged(pattern: str, log: str, tell: Callable[[str], None]) -> None:
    """Search the log of this start, line by line; a line is looked at once it is complete.

    What was rotated is unpacked in a thread. A log of which the beginning is gone has outlived its start: whoever
    supervised the service then has waited for the line.
    """
    lines = _Lines(pattern, tell)
    output = Output(Path(log))
    offset = 0
    while True:
        offset, chunk = await _read(output, offset)
        end = chunk.rfind(b"\n") + 1
        complete = chunk[:end] if end or len(chunk) < _CHUNK else chunk
        if output.aged or output.lost or await lines.hold(complete.decode(errors="replace")):
            return
        offset -= len(chunk) - len(complete)
        await asyncio.sleep(0 if complete else _BETWEEN)


class _Lines:
    """Lines that are searched; one on which the pattern takes too long does not match, and that is told once."""

    def __init__(self, pattern: str, tell: Callable[[str], None]) -> None:
        self._search = Search(pattern)
        self._tell = tell
        self._told = False

    async def hold(self, text: str) -> bool:
        """Tell whether one of the lines matches."""
        for line in text.splitlines():
            try:
                if self._search.finds(line):
                    return True
            except TooLongError:
                if not self._told:
                    self._tell(
                        "ready check: its pattern took too long on a line, which counts as one that does not match; "
                        "write it without repetition within or beside repetition, such as (a+)+ and .*a.*"
                    )
                self._told = True
                await asyncio.sleep(_REST)
        return False


async def _read(output: Output, offset: int) -> tuple[int, bytes]:
    with suppress(OSError):
        if offset < archives.begin_of(output.log):
            return await asyncio.to_thread(output.read, offset, _CHUNK)
        return output.read(offset, _CHUNK)
    return offset, b""
