"""The guardian: parent of the supervisor, which it starts again when it dies, and keeper of what that one would forget.

A unit that ends while its supervisor is dead becomes the guardian's child and stays a zombie until a supervisor has
acted on it: the zombie is the durable message, so an exit code survives any number of supervisors. It is the same
program as the supervisor, before that one's imports; it lives beside positions, so it loads next to nothing: not even
`signal` and `typing`, which cost 0.8 and 1.8 MiB (measured on Python 3.11).
"""

from __future__ import annotations

import os
import select
import sys
import time

from orchestrator.supervise import lock
from orchestrator.supervise.family import children, is_zombie

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
    from typing import Final, NoReturn
else:
    import _signal

FREE: Final = 20
"""Supervisors that may die in `WINDOW` seconds before the next one has to wait."""

WINDOW: Final = 60.0
_LONGEST_WAIT: Final = 5.0
MISUSED: Final = 2
REFUSED: Final = 7
_FINAL: Final = frozenset({0, MISUSED, REFUSED})
"""Exit codes after which no other supervisor is wanted (design section 9)."""

_PR_SET_CHILD_SUBREAPER: Final = 36
_SUBREAPER: Final = "--subreaper"
_LOCK: Final = "--lock"
_READY: Final = "--ready-fd"
_STOPPING: Final = (_signal.SIGTERM, _signal.SIGINT)


class Guarded:
    """What a supervisor needs to talk to its guardian: two descriptors, and who the guardian is.

    It hears lines: `zombie PID`, a child of the guardian's that has ended, and `terminate`. It says `reap PID`, which
    it owes for every zombie, `ready`, `begun` when what it was started for is on disk, and `renew` with another
    installation's python and boot.py, each behind a NUL.
    """

    __slots__ = ("hears", "pid", "says")

    def __init__(self, hears: int, says: int, pid: int) -> None:
        self.hears = hears
        self.says = says
        self.pid = pid


class _Supervisor:
    """The supervisor of the moment, as its parent sees it."""

    __slots__ = ("hears", "pid", "rest", "says", "told")

    def __init__(self, pid: int, hears: int, says: int) -> None:
        self.pid = pid
        self.hears = hears
        self.says = says
        self.rest = b""
        self.told: set[int] = set()

    def tell(self, line: str) -> bool:
        """Write a line; False when it takes no more now, or has died: the next one is told."""
        try:
            os.write(self.says, line.encode() + b"\n")
        except (BlockingIOError, BrokenPipeError):
            return False
        return True

    def lines(self) -> list[bytes]:
        """Return what it said since the last time."""
        while True:
            try:
                data = os.read(self.hears, 1 << 16)
            except BlockingIOError:
                break
            self.rest += data
            if not data:
                break
        *lines, self.rest = self.rest.split(b"\n")
        return lines

    def close(self) -> None:
        os.close(self.hears)
        os.close(self.says)


class Guardian:
    """Keeps one supervisor of one stack alive. `supervise` is what a forked child becomes; it returns an exit code."""

    def __init__(
        self, supervise: Callable[[list[str], Guarded], int], lock_file: str, arguments: list[str], ready: int | None
    ) -> None:
        self._supervise = supervise
        self._lock = lock_file
        self._arguments = arguments
        self._ready = ready
        self._was_ready = False
        self._deaths: list[float] = []
        self._terminations = 0
        self._woken, self._wakes = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        _signal.set_wakeup_fd(self._wakes, warn_on_full_buffer=False)
        for number in (*_STOPPING, _signal.SIGCHLD, _signal.SIGHUP):
            _signal.signal(number, _noted)

    def run(self) -> int:
        """Guard until the supervisor is done. Returns its exit code."""
        while True:
            supervisor = self._start(self._arguments)
            code = self._watch(supervisor)
            supervisor.close()
            if code in _FINAL or (code > 0 and not self._was_ready):
                return code
            print(f"the supervisor ended ({code}); another one takes over", file=sys.stderr, flush=True)  # noqa: T201 - its log
            self._wait()

    def _start(self, arguments: list[str]) -> _Supervisor:
        hears, says = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        heard, said = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        guardian = os.getpid()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                os.close(hears)
                os.close(said)
                self._become_child()
                code = self._supervise(arguments, Guarded(heard, says, guardian))
            except BaseException:  # noqa: BLE001 - a child that returned would be a second guardian
                sys.excepthook(*sys.exc_info())
            finally:
                sys.stderr.flush()
                os._exit(code)
        os.close(says)
        os.close(heard)
        for _ in range(self._terminations):
            os.write(said, b"terminate\n")
        return _Supervisor(pid, hears, said)

    def _become_child(self) -> None:
        _signal.set_wakeup_fd(-1)
        for number in (*_STOPPING, _signal.SIGCHLD, _signal.SIGHUP):
            _signal.signal(number, _signal.SIG_DFL)
        os.close(self._woken)
        os.close(self._wakes)
        os.setsid()  # a terminal's Ctrl-C is the guardian's to hand on, once

    def _watch(self, supervisor: _Supervisor) -> int:
        """Hand signals and zombies to a supervisor until it ends. Returns its exit code, negative for a signal."""
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        poll.register(supervisor.hears, select.POLLIN)
        while True:
            self._hand_on(supervisor)
            ended = os.waitid(os.P_PID, supervisor.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            self._obey(supervisor)
            if ended is not None:
                _reap(supervisor.pid)
                return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
            for descriptor, event in poll.poll():
                if descriptor == supervisor.hears and not event & select.POLLIN:
                    poll.unregister(descriptor)
            for number in _drained(self._woken):
                if number in _STOPPING:
                    self._terminations += 1
                    supervisor.tell("terminate")

    def _hand_on(self, supervisor: _Supervisor) -> None:
        for pid in children():
            if pid != supervisor.pid and pid not in supervisor.told and is_zombie(pid):
                if not supervisor.tell(f"zombie {pid}"):
                    return
                supervisor.told.add(pid)

    def _obey(self, supervisor: _Supervisor) -> None:
        for line in supervisor.lines():
            word, *words = line.split(b"\0")
            word, _, rest = word.partition(b" ")
            if word == b"reap" and rest.isdigit():
                _reap(int(rest))
                supervisor.told.discard(int(rest))
            elif word == b"ready":
                self._tell_ready()
            elif word == b"begun":
                self._arguments = later(self._arguments)
            elif word == b"renew":
                self._renew(supervisor, *map(os.fsdecode, words))

    def _tell_ready(self) -> None:
        self._was_ready = True
        if self._ready is not None:
            ready, self._ready = self._ready, None
            try:
                os.write(ready, b"ready\n")
            except BrokenPipeError:
                return  # whoever started us did not wait
            finally:
                os.close(ready)

    def _renew(self, supervisor: _Supervisor, python: str, boot: str) -> None:
        """Become another installation's guardian, with the same pid and children, once the supervisor has let go."""
        os.waitid(os.P_PID, supervisor.pid, os.WEXITED)
        become([python, "-I", "-S", boot, *command(self._lock, *later(self._arguments))])

    def _wait(self) -> None:
        now = time.monotonic()
        self._deaths = [death for death in self._deaths if now - death < WINDOW] + [now]
        beyond = len(self._deaths) - FREE
        if beyond > 0:
            poll = select.poll()
            poll.register(self._woken, select.POLLIN)
            until = now + min(0.1 * 2**beyond, _LONGEST_WAIT)
            while (left := until - time.monotonic()) > 0:
                poll.poll(left * 1000)
                self._terminations += sum(number in _STOPPING for number in _drained(self._woken))


def guard(supervise: Callable[[list[str], Guarded], int], argv: list[str]) -> int:
    """Guard the supervisor of the stack in `argv`. Returns the exit code.

    Args:
        supervise: what the child does.
        argv: --lock FILE, [--ready-fd N], then the supervisor's own arguments.
    """
    if argv[:1] != [_SUBREAPER]:
        _become_subreaper(argv)
    if argv[1:2] != [_LOCK] or len(argv) < len((_SUBREAPER, _LOCK, "FILE", "STACK")):
        print("not a program to call by hand: hftstack up does", file=sys.stderr)  # noqa: T201 - its log
        return MISUSED
    path, rest = argv[2], argv[3:]
    held = lock.acquire(path)
    if held is None:
        print(f"guarded already, by pid {lock.holder(path)}", file=sys.stderr)  # noqa: T201 - its log
        return REFUSED
    ready = None
    if rest[:1] == [_READY]:
        ready = int(rest[1])
        os.set_inheritable(ready, False)  # noqa: FBT003 - its only argument
        rest = rest[2:]
    return Guardian(supervise, path, rest, ready).run()


def command(lock_file: str, stack: str, *arguments: str, ready: int | None = None) -> list[str]:
    """Return the arguments of a guardian's program."""
    said = [] if ready is None else [_READY, str(ready)]
    return [_LOCK, lock_file, *said, stack, *arguments]


def become(words: list[str]) -> NoReturn:
    """Replace this process, children and all, by a program with the same environment."""
    os.execv(words[0], words)  # noqa: S606 - the point: no shell, this very process


def _become_subreaper(argv: list[str]) -> NoReturn:
    """Have orphans handed to us (prctl(2)); the flag survives exec, which gives back what loading ctypes took."""
    import ctypes  # noqa: PLC0415 - not in the process that stays

    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    become([sys.executable, "-I", "-S", sys.argv[0], _SUBREAPER, *argv])


def _reap(pid: int) -> None:
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)
    except ChildProcessError:
        return


def later(arguments: list[str]) -> list[str]:
    """Return a later supervisor's arguments: it holds nothing back, and what was to be brought in is on disk."""
    stack, *options = arguments
    return [stack, *(option for option in options if option == "--foreground")]


def _drained(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 12)
    except BlockingIOError:
        return b""


def _noted(_: int, __: object) -> None:
    """Only wake the loop."""
