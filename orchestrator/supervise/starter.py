"""What a unit's process needs before it begins: a channel that is free, a gate, its marker, resources, a log."""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING, Final

from orchestrator.channel.repair import repair, tidy
from orchestrator.channel.view import SHARED_MEMORY
from orchestrator.deployment.model import UNREAD, Kind
from orchestrator.logs import room
from orchestrator.logs.logfiles import LogFiles
from orchestrator.supervise import configs, watch
from orchestrator.supervise import process as processes
from orchestrator.supervise.adopt import digest
from orchestrator.supervise.bucket import Buckets
from orchestrator.supervise.gate import Command, spawn
from orchestrator.supervise.policy import REPAIR_AT
from orchestrator.supervise.process import SpawnError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from orchestrator.channel.location import Location
    from orchestrator.deployment.homes import StackHome
    from orchestrator.deployment.model import UnitSpec
    from orchestrator.supervise.gate import Gated
    from orchestrator.supervise.process import Process


_LEAST_MEMORY: Final = 1 << 20
"""Bytes of /dev/shm below which no connector and no bot can start (8 MB are planned for each)."""


class RefusedSpawnError(SpawnError):
    """Raised when trying again cannot help: somebody else holds the channel, the kernel does not grant a resource."""


class HeldSpawnError(SpawnError):
    """Raised when no process may be started for `seconds`."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


class Starter:
    """Starts the processes of one stack's units. `prefix` begins the marker of each."""

    def __init__(self, home: StackHome, prefix: str, note: Callable[[str | None, str, str], None]) -> None:
        self._home = home
        self._buckets = Buckets(home.home.buckets)
        self._prefix = prefix
        self._note = note
        self._logs = LogFiles(home.logs)
        self._digests: dict[str, tuple[UnitSpec, str]] = {}
        self._ignored = processes.ignored_signals()
        self._nofile = processes.raise_descriptor_limit()
        processes.leave_no_core()
        self._softens = os.geteuid() == 0 or processes.may_soften_others()
        self._namespaces: bool | None = None

    def ration(self, spec: UnitSpec, *, failed: bool) -> None:
        """Take a start of a connector from what all stacks of the user may have for its exchange.

        `failed`: it follows a failure, and raises HeldSpawnError when nothing is left; others start in any case.
        """
        for host in dict.fromkeys(stream.host for stream in spec.streams):
            seconds = self._buckets.take(host, must=failed)
            if seconds > 0:
                raise HeldSpawnError(f"too many starts for {host}, which may ban this address; waits its turn", seconds)

    def clear(self, name: str, spec: UnitSpec, *, retries: int) -> None:
        """Make sure that the unit can begin: its configs are there, its channel is free, /dev/shm has room for it.

        `retries` is how many starts in a row have died before they were live. Raises RefusedSpawnError when a config
        is gone, which only `up` can render again, or a living process holds the channel; SpawnError while there is no
        room.
        """
        for path in configs.missing([spec]):
            if any(file.path == path and file.sha256 == UNREAD for file in spec.files):
                raise RefusedSpawnError(
                    f"its secrets were not read when other units were brought in: `hftstack up FILE {name}` reads them"
                )
            raise RefusedSpawnError(
                f"its config is gone, {path}: a reboot or a logout empties that folder; `hftstack up FILE` renders it "
                "again"
            )
        if retries >= REPAIR_AT or _is_short_of_memory(spec):
            self._clear(name, spec, repair)
        if _is_short_of_memory(spec):
            raise SpawnError(f"{SHARED_MEMORY} is full")
        holder = watch.holder(spec)
        if holder is not None:
            raise RefusedSpawnError(
                f"channel {name} is held by pid {holder} ({processes.command_line(holder) or 'command not readable'})"
            )

    def tidy(self, name: str, spec: UnitSpec) -> None:
        """Clear the channel of a connector that is not to start again, when nobody can be using it."""
        self._clear(name, spec, tidy)

    def _clear(self, name: str, spec: UnitSpec, remove: Callable[[Location, str], tuple[Path, ...]]) -> None:
        if spec.channel is None:
            return
        try:
            removed = remove(watch.location(spec), spec.channel.name)
        except OSError as error:
            self._note(name, "not-repaired", f"cannot look at the channel's remains: {error.strerror}")
            return
        if removed:
            self._note(name, "repaired", f"removed {len(removed)} files that dead processes left and no process used")

    def prepare(self, name: str, spec: UnitSpec) -> Gated:
        """Return a process behind its gate, to which all is set that the unit may use. Raises SpawnError."""
        command = Command(
            argv=spec.argv,
            cwd=spec.cwd,
            env=dict(spec.env),
            marker=f"{self._prefix}{name}/{self.digest(spec)}-{os.urandom(4).hex()}",
            logs=str(self._home.logs / name),
            timer_slack=spec.resources.timer_slack,
            own_user_namespace=spec.kind is Kind.CONNECTOR and not self._softens and self._has_namespaces(),
        )
        gated = spawn(command, self._ignored)
        try:
            processes.apply_resources(gated.process.id.pid, spec.resources, self._nofile)
        except SpawnError as error:
            gated.abandon()
            gated.process.close()
            raise RefusedSpawnError(str(error)) from None
        return gated

    def begin(self, name: str, gated: Gated) -> None:
        """Give a process that is about to begin its place in the order of starts, and the log of its start.

        Raises SpawnError, with the process let go, for what will pass: there is no descriptor to make the log with.
        """
        instant = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        try:
            gated.begin_at(instant, self._logs.new(name))
        except OSError as error:
            if error.errno in {errno.EMFILE, errno.ENFILE}:
                gated.abandon()
                gated.process.close()
                raise SpawnError(f"cannot make its log: {error.strerror}") from None
            self._note(name, "no-log", f"cannot write {self._home.logs}: {error.strerror}; its output is lost")
            gated.begin_at(instant, None)

    def digest(self, spec: UnitSpec) -> str:
        """Return what the marker of a process started from `spec` tells of it."""
        cached = self._digests.get(spec.name)
        if cached is None or cached[0] is not spec:
            cached = self._digests[spec.name] = (spec, digest(spec))
        return cached[1]

    def log_of(self, name: str, process: Process | None) -> str | None:
        """Return where the unit writes, or wrote last; None when its output goes nowhere."""
        if process is not None and process.log == os.devnull:
            return None
        if process is not None and process.log:
            return process.log
        return self._logs.latest(name)

    def _has_namespaces(self) -> bool:
        if self._namespaces is None:
            self._namespaces = processes.user_namespaces_work()
        return self._namespaces


def _is_short_of_memory(spec: UnitSpec) -> bool:
    """Tell whether /dev/shm has too little room for a unit that uses it."""
    if spec.channel is None and not spec.attaches:
        return False
    try:
        return room.free(SHARED_MEMORY) < _LEAST_MEMORY
    except OSError:
        return False
