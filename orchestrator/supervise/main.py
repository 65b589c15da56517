"""The supervisor's program: started detached by `up`, or in the foreground in its place."""

from __future__ import annotations

import asyncio
import json
import os
import queue
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from orchestrator.control.server import listen
from orchestrator.deployment.homes import locate
from orchestrator.errors import HftstackError, RefusedError
from orchestrator.printable import printable
from orchestrator.supervise import halt, lock, records
from orchestrator.supervise.attribution import asked_by
from orchestrator.supervise.operations import Operations
from orchestrator.supervise.process import MARKER, die_with
from orchestrator.supervise.servicemanager import ServiceManager, summary
from orchestrator.supervise.settlement import settled
from orchestrator.supervise.supervisor import Supervisor
from orchestrator.supervise.ward import Ward

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from orchestrator.deployment.homes import StackHome
    from orchestrator.deployment.model import Deployment, UnitSpec
    from orchestrator.supervise.guardian import Guarded

_HAND_OVER: float = 0.0005
"""Seconds after which the journal's thread gives the interpreter back to the loop, a tenth of Python's default."""

_IDLE: float = 10.0
"""Seconds after which a supervisor that was started and never given anything to do leaves."""


@dataclass(frozen=True, slots=True)
class _Options:
    """What the guardian is told to have done; argparse would take 0.5 MiB to read it.

    `hold`: start nothing that is down. `deployment` is what to bring in at once, `asked` by whom and by which plan.
    `foreground`: tell events on stderr.
    """

    stack: str
    hold: bool = False
    deployment: Path | None = None
    asked: dict[str, Any] = field(default_factory=dict)
    foreground: bool = False

    @classmethod
    def of(cls, argv: list[str]) -> Self:
        """Return what the words of `launch` mean."""
        stack, *words = argv
        found: dict[str, Any] = {}
        while words:
            match words.pop(0):
                case "--hold" | "--foreground" as flag:
                    found[flag.removeprefix("--")] = True
                case "--deployment":
                    found["deployment"] = Path(words.pop(0))
                case "--asked":
                    found["asked"] = json.loads(words.pop(0))
                case other:
                    raise ValueError(other)
        return cls(stack, **found)


def main(argv: list[str], guarded: Guarded) -> int:
    """Supervise a stack until it is down. Returns the exit code."""
    options = _Options.of(argv)
    os.environ.pop(MARKER, None)
    if ServiceManager(os.environ).listens:
        # in the guardian's place we would be lost to the service manager, which starts the next guardian itself
        die_with(guarded.pid)
    sys.setswitchinterval(_HAND_OVER)
    try:
        # where it is gone an earlier supervisor has brought it in
        brought = None if options.deployment is None else records.read_deployment(options.deployment)
        home = locate(os.environ)
        stack_home = home.stack(options.stack)
        stack_home.prepare()
        if brought is not None:
            halt.refuse(stack_home)
        held = lock.acquire(stack_home.lock)
        if held is None:
            raise RefusedError(f"{options.stack} is supervised already, by pid {lock.holder(stack_home.lock)}")
        return asyncio.run(_run(argv, options, stack_home, brought, guarded))
    except HftstackError as error:
        _forget(options.deployment)
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 1


async def _run(
    argv: list[str], options: _Options, home: StackHome, brought: Deployment | None, guarded: Guarded
) -> int:
    supervisor = Supervisor(options.stack, home, home.marker, listen=_Teller().tell if options.foreground else _ignore)
    operations = Operations(supervisor)
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()
    asked = 0

    def do(what: Coroutine[Any, Any, None]) -> None:
        task = loop.create_task(what)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def terminate() -> None:
        nonlocal asked
        asked += 1
        do(operations.terminate(hurry=asked > 1))

    ward = Ward(guarded, argv, supervisor, operations, terminate)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, terminate)
    loop.add_signal_handler(signal.SIGHUP, lambda: None)
    supervisor.begin(hold=options.hold or brought is not None)
    unfinished = None
    if brought is None:
        unfinished = operations.take_up(hold=options.hold)
    else:
        supervisor.spare(None)
    await supervisor.swept()
    server = await listen(home.socket, {**operations.methods(), **ward.methods()})
    ward.begin()
    if unfinished is not None:
        do(unfinished)
    if supervisor.graph.halted is not None:
        operations.obey()
    manager = ServiceManager(os.environ)
    only = options.asked.get("only")
    chosen = [] if brought is None else [spec for spec in brought.units if only is None or spec.name in only]
    if brought is not None and supervisor.graph.halted is None:
        operations.bring_in(brought, only, asked_by(options.asked), plan=options.asked.get("plan"))
        do(_settle(operations, chosen))
    else:
        loop.call_later(_IDLE, _leave_if_idle, supervisor, operations)
    _forget(options.deployment)
    watching = loop.create_task(_tell(manager, supervisor, operations, chosen))
    await operations.leave.wait()
    watching.cancel()
    server.close()
    home.socket.unlink(missing_ok=True)
    await asyncio.sleep(0)
    await asyncio.gather(*tasks, return_exceptions=True)
    await supervisor.end()
    if not supervisor.pids() and not ward.is_followed:
        import shutil  # noqa: PLC0415 - at the very end: bz2 and lzma come with it

        shutil.rmtree(home.runtime, ignore_errors=True)
    ward.end(home)
    return 0


async def _settle(operations: Operations, specs: Sequence[UnitSpec]) -> None:
    await operations.settle(specs)


async def _tell(
    manager: ServiceManager, supervisor: Supervisor, operations: Operations, specs: Sequence[UnitSpec]
) -> None:
    """Tell the service manager that the stack is ready when it is, or that something in it failed, and how it does."""
    if not manager.listens:
        return
    keeping = asyncio.get_running_loop().create_task(manager.keep(lambda: summary(supervisor.graph)))
    try:
        if specs:
            await settled(supervisor, specs, None, operations.leave.is_set)
        manager.say("READY=1", f"STATUS={summary(supervisor.graph)}")
        await operations.leave.wait()
    finally:
        keeping.cancel()
        manager.say("STOPPING=1")


def _forget(brought: Path | None) -> None:
    """Remove what was to be brought in: it is on disk as the stack's own, or will not be."""
    if brought is not None:
        brought.unlink(missing_ok=True)


def _leave_if_idle(supervisor: Supervisor, operations: Operations) -> None:
    wanted = any(unit.wanted for unit in supervisor.graph.units.values())
    if not (operations.applied or wanted or supervisor.pids()):
        operations.leave.set()


class _Teller:
    """Writes events to stderr from a thread: a pager that nobody reads, or a pipe that is gone, holds up nothing."""

    def __init__(self) -> None:
        self._queue: queue.Queue[str] = queue.Queue(10_000)
        threading.Thread(target=self._run, name="stderr", daemon=True).start()

    def tell(self, event: dict[str, Any]) -> None:
        unit = event["unit"] or "stack"
        text = f": {event['text']}" if event["text"] else ""
        with suppress(queue.Full):
            self._queue.put_nowait(f"{event['at']} {unit} {event['what']}{printable(text)}\n")

    def _run(self) -> None:
        while True:
            text = self._queue.get()
            with suppress(OSError, ValueError):
                sys.stderr.write(text)
                sys.stderr.flush()


def _ignore(_: dict[str, Any]) -> None:
    pass
