"""Processes: known by pid and start time, ended by pidfd.

A pid alone is no identity, for the kernel gives it out again: everything here pairs it with the start time in clock
ticks since boot, field 22 of /proc/PID/stat (proc_pid_stat(5)).
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.deployment.model import Resources

MARKER: Final = "HFTSTACK_UNIT"
"""Environment variable that names the unit: <uid>/<hash of home>/<stack>/<unit>/<token>/<pid>."""

_TOKEN_PARTS: Final = 3
"""Of a marker's token: what the process was started from, a number that is its own, and when it began."""

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_UNSHARE: Final = ("--user", "--map-current-user", "--")
_SIGNALS: Final = tuple(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})

REAP_AGAIN: Final = 0.05
"""Seconds after which a dead child that could not be reaped is tried again: a debugger may hold it."""

_RECEPTIVE_SLACK: Final = 5_000_000
_POLICIES: Final = {
    "other": os.SCHED_OTHER,
    "batch": os.SCHED_BATCH,
    "idle": os.SCHED_IDLE,
    "fifo": os.SCHED_FIFO,
    "rr": os.SCHED_RR,
}


@dataclass(frozen=True, slots=True, order=True)
class ProcessId:
    """A process for as long as this boot lasts: its pid and its start time in clock ticks since boot."""

    pid: int
    start: int


class SpawnError(Exception):
    """Raised when no process could be started; the message is for people."""


def identity(pid: int) -> ProcessId | None:
    """Return who has this pid now; None when nobody has, or a zombie that is waiting to be reaped. Raises OSError."""
    found = _stat(pid)
    return None if found is None or found[1] in "ZX" else found[0]


def found_in_proc(pid: int) -> ProcessId | None:
    """Return who has this pid, also a zombie; None when nobody has. Raises OSError."""
    found = _stat(pid)
    return None if found is None else found[0]


def _stat(pid: int) -> tuple[ProcessId, str] | None:
    """Return None when there is no such process. Raises OSError when we could not look, which is not the same."""
    try:
        fields = read_small(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return ProcessId(pid, int(fields[19])), fields[0].decode()


def read_small(path: str) -> bytes:
    """Return a small file of /proc, with half the system calls of `open`."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 1 << 16)
    finally:
        os.close(descriptor)


def zombie_code(who: ProcessId) -> int | None:
    """Return the exit code of a zombie, negative for a signal; None when it is none, or hidden from us.

    Field 52 of /proc/PID/stat, in the form of waitpid(2)'s status (proc_pid_stat(5)).
    """
    try:
        fields = read_small(f"/proc/{who.pid}/stat").rpartition(b")")[2].split()
    except OSError:
        return None
    if fields[:1] != [b"Z"] or int(fields[19]) != who.start:
        return None
    return os.waitstatus_to_exitcode(int(fields[49]))


def began(who: ProcessId, marker: str) -> int:
    """Return when a process began to be its unit, in nanoseconds since boot: it may have waited long at its gate."""
    token = marker.rpartition("/")[0].rpartition("/")[2].split("-")
    return int(token[2], 16) if len(token) == _TOKEN_PARTS else who.start * 1_000_000_000 // _TICKS


def boot_id() -> str:
    """Return the kernel's name for this boot (random(4), /proc/sys/kernel/random/boot_id)."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class Process:
    """A process that is watched through a pidfd.

    `child` tells whether its exit code is ours to read, `begun` whether its gate, if it has one, was opened, `told`
    whether the first signal of its stop was sent.
    """

    __slots__ = ("begun", "child", "id", "log", "marker", "pidfd", "session", "told")

    def __init__(self, process_id: ProcessId, pidfd: int, *, child: bool, marker: str, log: str | None) -> None:
        self.id = process_id
        self.session = process_id.pid
        self.pidfd = pidfd
        self.child = child
        self.begun = True
        self.told = False
        self.marker = marker
        self.log = log

    @classmethod
    def adopt(cls, process_id: ProcessId, *, marker: str, log: str | None) -> Process | None:
        """Take over a running process; None when it is gone or the pid is somebody else's by now. Raises OSError."""
        try:
            pidfd = os.pidfd_open(process_id.pid)
        except ProcessLookupError:
            return None
        try:
            found = identity(process_id.pid)
        except PermissionError:
            if _is_ours(pidfd):
                os.close(pidfd)
                raise
            found = None
        if found != process_id:
            os.close(pidfd)
            return None
        return cls(process_id, pidfd, child=_is_child(process_id.pid), marker=marker, log=log)

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal; a process that is gone by now needs none. Tells whether we may."""
        try:
            signal.pidfd_send_signal(self.pidfd, number)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return True

    def reap(self) -> tuple[bool, int | None]:
        """Take the exit code after the pidfd became readable, without waiting.

        Returns whether the process is reaped, or not ours to reap, and the code: negative for a signal, None when
        nobody can know it. A dead child that a debugger holds is not reaped yet. One that is not ours is the
        guardian's, who keeps it as a zombie until told that its end has been acted upon.
        """
        if not self.child:
            return True, zombie_code(self.id)
        try:
            result = os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED | os.WNOHANG)
        except ChildProcessError:
            return True, None
        return (False, None) if result is None else (True, _exit_code(result))

    def is_alive(self) -> bool:
        """Tell whether a child of ours has not ended yet."""
        try:
            return os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        except ChildProcessError:
            return False

    def close(self) -> None:
        """Let go of the descriptor."""
        os.close(self.pidfd)


def _exit_code(result: os.waitid_result) -> int:
    return result.si_status if result.si_code == os.CLD_EXITED else -result.si_status


def _is_ours(pidfd: int) -> bool:
    """Tell whether we may signal a process: with hidepid that is all that tells ours from another user's."""
    try:
        signal.pidfd_send_signal(pidfd, 0)
    except PermissionError:
        return False
    except ProcessLookupError:
        pass
    return True


def _is_child(pid: int) -> bool:
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def ignored_signals() -> list[signal.Signals]:
    """Return the signals that a program started by us would find ignored, Python's SIGPIPE among them."""
    return [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_IGN]


def apply_resources(pid: int, wanted: Resources, nofile: tuple[int, int] | None = None) -> None:
    """Set affinity, priorities and limits from outside, before the gate opens. Raises SpawnError.

    `nofile` is the limit on descriptors for a unit that names none: the supervisor has raised its own.
    """
    what = "limit nofile"
    try:
        if nofile is not None:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, nofile)
        what = "cpus"
        if wanted.cpus is not None:
            os.sched_setaffinity(pid, wanted.cpus)
        what = "nice"
        if wanted.nice is not None:
            os.setpriority(os.PRIO_PROCESS, pid, wanted.nice)
        what = "scheduler"
        if wanted.scheduler is not None:
            policy, priority = wanted.scheduler
            os.sched_setscheduler(pid, _POLICIES[policy], os.sched_param(priority))
        what = "oom_score_adj"
        if wanted.oom_score_adj is not None:
            Path(f"/proc/{pid}/oom_score_adj").write_text(str(wanted.oom_score_adj))
        for name, value in wanted.limits:
            what = f"limit {name}"
            number = getattr(resource, f"RLIMIT_{name.upper()}")
            resource.prlimit(pid, number, (value, value))
    except (OSError, ValueError, OverflowError, LookupError, AttributeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SpawnError(f"cannot set {what}: {reason}") from None


def leave_no_core() -> None:
    """Let what is started from now on leave no core file, for it holds keys, unless its limits say otherwise."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))


def raise_descriptor_limit() -> tuple[int, int]:
    """Let this process open as many files as it ever may; returns what the limit was, soft and hard."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    return before


def soften(pid: int) -> bool:
    """Make a connector's main loop receptive to SIGTERM; tell whether the kernel took it.

    The loop sleeps 1 us at a time and leaves only when a signal interrupts the sleep: a timer slack of 5 ms stretches
    it. A FIFO or RR task ignores slack, so the main thread goes to SCHED_OTHER first (measured). The write needs
    CAP_SYS_NICE over the target, which the creator of its user namespace has.
    """
    with suppress(OSError):
        if os.sched_getscheduler(pid) in {os.SCHED_FIFO, os.SCHED_RR}:
            os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))
    slack = Path(f"/proc/{pid}/timerslack_ns")
    try:
        slack.write_text(str(_RECEPTIVE_SLACK))
        return int(slack.read_text()) == _RECEPTIVE_SLACK
    except (OSError, ValueError):
        return False


def members(prefix: str) -> dict[int, str]:
    """Return pid -> marker of every living process whose environment carries a marker that begins with `prefix`.

    Processes that we may not read are left out; /proc/PID/environ is what a process was started with (proc(5)).
    """
    needle = f"{MARKER}={prefix}".encode()
    found: dict[int, str] = {}
    for pid in _pids():
        try:
            with Path(f"/proc/{pid}/environ").open("rb") as file:
                environ = file.read()
        except OSError:
            continue
        if needle not in environ:
            continue
        for item in environ.split(b"\0"):
            if item.startswith(needle):
                found[pid] = item.partition(b"=")[2].decode(errors="replace")
    return found


def session_members(session: int) -> list[int]:
    """Return the pids in a session, zombies left out."""
    found = []
    for pid in _pids():
        with suppress(OSError):
            if os.getsid(pid) == session and identity(pid) is not None:
                found.append(pid)
    return found


def _pids() -> list[int]:
    with os.scandir("/proc") as entries:
        return [int(entry.name) for entry in entries if entry.name.isdecimal()]


def become_subreaper() -> None:
    """Have orphans of our descendants handed to us instead of init (PR_SET_CHILD_SUBREAPER, prctl(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(36, 1, 0, 0, 0)


def die_with(parent: int) -> None:
    """Be killed as soon as the parent dies (PR_SET_PDEATHSIG, prctl(2)), also if it has died by now."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(1, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def command_line(pid: int) -> str:
    """Return the command of a process for people, shortened; empty when it cannot be read."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        return ""
    text = " ".join(word.decode(errors="replace") for word in words)
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 - a line of a terminal


def present(pids: Iterable[int]) -> list[ProcessId]:
    """Return who has these pids now, those that are gone left out."""
    found = []
    for pid in pids:
        with suppress(OSError):
            who = identity(pid)
            if who is not None:
                found.append(who)
    return found


def signal_all(who: Iterable[ProcessId], number: signal.Signals) -> None:
    """Signal each of these processes that is still the same one."""
    for process in who:
        with suppress(OSError):
            pidfd = os.pidfd_open(process.pid)
            try:
                if identity(process.pid) == process:
                    signal.pidfd_send_signal(pidfd, number)
            finally:
                os.close(pidfd)


def is_member(pid: int, process: Process) -> bool:
    """Tell whether a process was started by the unit: it is in its session, or carries its marker."""
    with suppress(OSError):
        if os.getsid(pid) == process.session:
            return True
    needle = f"{MARKER}={process.marker}\0".encode()
    try:
        return needle in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False


def own_user_namespace() -> tuple[str, ...]:
    """Return the words that start a command in a user namespace of its own, none where there is no unshare(1).

    Its creator, which is us, holds CAP_SYS_NICE over what runs there (user_namespaces(7)).
    """
    import shutil  # noqa: PLC0415 - not in a supervisor that may soften others

    unshare = shutil.which("unshare")
    return () if unshare is None else (unshare, *_UNSHARE)


def user_namespaces_work() -> bool:
    """Tell whether an ordinary user may start a process in a user namespace of its own (unshare(1))."""
    prefix = own_user_namespace()
    if not prefix:
        return False
    try:
        pid = os.posix_spawn(
            prefix[0],
            [*prefix, "true"],
            {"PATH": os.environ.get("PATH", os.defpath)},
            file_actions=[(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)],
        )
    except OSError:
        return False
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def may_soften_others() -> bool:
    """Tell whether we hold CAP_SYS_NICE (bit 23 of CapEff in /proc/self/status)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> 23 & 1)
    return False
