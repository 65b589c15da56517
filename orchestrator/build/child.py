"""A child process whose output is read as it comes, and which does not outlive its reader."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Final

from orchestrator.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

GRACE: Final = 5.0
"""Seconds between SIGINT and SIGKILL for an interrupted child."""

_CHUNK: Final = 65536
_FATAL: Final = (signal.SIGTERM, signal.SIGHUP)


class _EndedError(BaseException):
    """Raised where a signal comes that would end this process."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@dataclass(slots=True)
class _Lines:
    """Bytes in, lines out; a carriage return ends a line too, for progress bars."""

    emit: Callable[[str], None]
    rest: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> None:
        self.rest += data.replace(b"\r", b"\n")
        *whole, last = self.rest.split(b"\n")
        self.rest = bytearray(last)
        for line in whole:
            self.emit(line.decode(errors="replace"))

    def close(self) -> None:
        if self.rest:
            self.emit(self.rest.decode(errors="replace"))
            self.rest.clear()


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdout: Callable[[str], None],
    stderr: Callable[[str], None],
) -> int:
    """Run a program in a session of its own and hand over its output line by line; return its exit code.

    Whatever ends this call early, Ctrl-C first of all, ends the program and its group: SIGINT, then SIGKILL after
    GRACE seconds or at the second Ctrl-C. So do SIGTERM and SIGHUP, which then end this process as they would have.
    Output that a stray grandchild would send after the program's exit is not waited for. Raises BuildError when the
    program cannot be started.
    """
    with _ending_first():
        return _run(argv, cwd, env, stdout, stderr)


@contextmanager
def _ending_first() -> Iterator[None]:
    """Let what goes on here end before a signal ends this process, where nobody else has a handler for it."""

    def end(number: int, _: object) -> None:
        raise _EndedError(number)

    taken = []
    if threading.current_thread() is threading.main_thread():
        taken = [number for number in _FATAL if signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, end)
    fatal = None
    try:
        yield
    except _EndedError as ended:
        fatal = ended.number
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)
        if fatal is not None:
            os.kill(os.getpid(), fatal)


def _run(
    argv: Sequence[str | Path],
    cwd: Path,
    env: Mapping[str, str],
    stdout: Callable[[str], None],
    stderr: Callable[[str], None],
) -> int:
    try:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise BuildError(f"cannot run {argv[0]}: {error.strerror}") from None
    pidfd = os.pidfd_open(process.pid)
    try:
        _drain(pidfd, {process.stdout: _Lines(stdout), process.stderr: _Lines(stderr)})
        _await_exit(pidfd, None)
        return process.wait()
    except BaseException:
        if process.returncode is None:
            with suppress(KeyboardInterrupt):
                os.killpg(process.pid, signal.SIGINT)
                _await_exit(pidfd, GRACE)
        raise
    finally:
        os.close(pidfd)
        _end(process)


def _drain(pidfd: int, sinks: Mapping[IO[bytes] | None, _Lines]) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(pidfd, selectors.EVENT_READ)
        for pipe, sink in sinks.items():
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                selector.register(pipe, selectors.EVENT_READ, sink)
        exited = False
        while not exited and len(selector.get_map()) > 1:
            for key, _ in selector.select():
                if key.data is None:
                    exited = True
                elif (data := _read(key.fd)) == b"":
                    selector.unregister(key.fileobj)
                elif data:
                    key.data.feed(data)
        for key in [key for key in selector.get_map().values() if key.data is not None]:
            while data := _read(key.fd):
                key.data.feed(data)
    for sink in sinks.values():
        sink.close()


def _read(fd: int) -> bytes | None:
    """Return what there is now; empty at the end, None while there is nothing."""
    try:
        return os.read(fd, _CHUNK)
    except BlockingIOError:
        return None


def _await_exit(pidfd: int, seconds: float | None) -> None:
    """Wait for the exit, at most so long, without reaping: a zombie keeps its group's id from being taken again."""
    with selectors.DefaultSelector() as selector:
        selector.register(pidfd, selectors.EVENT_READ)
        selector.select(seconds)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the child and what is left of its group, unless it has ended by itself."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
