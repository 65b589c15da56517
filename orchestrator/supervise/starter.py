"""A unit's next process, made ready behind its gate: channel, log, marker, resources."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from orchestrator.channel.repair import repair
from orchestrator.deployment.model import Kind
from orchestrator.supervise import process as processes
from orchestrator.supervise import watch
from orchestrator.supervise.adopt import digest
from orchestrator.supervise.logfiles import LogFiles
from orchestrator.supervise.policy import REPAIR_AT
from orchestrator.supervise.process import Command, SpawnError

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.deployment.homes import StackHome
    from orchestrator.deployment.model import UnitSpec
    from orchestrator.supervise.process import Gated, Process


class ForeignChannelError(SpawnError):
    """Raised when somebody else's living process holds the channel."""


class Starter:
    """Starts the processes of one stack's units. `prefix` begins the marker of each."""

    def __init__(self, home: StackHome, prefix: str, note: Callable[[str | None, str, str], None]) -> None:
        self._home = home
        self._prefix = prefix
        self._note = note
        self._logs = LogFiles(home.logs)
        self._digests: dict[str, tuple[UnitSpec, str]] = {}
        self._nofile = processes.raise_descriptor_limit()
        self._softens = os.geteuid() == 0 or processes.may_soften_others()
        self._namespaces: bool | None = None

    def start(self, name: str, spec: UnitSpec, *, retries: int) -> Gated:
        """Return a process that waits behind its gate, to be recorded. Raises SpawnError.

        `retries` is how many starts in a row have died before they were live.
        """
        if retries >= REPAIR_AT:
            self._repair(name, spec)
        holder = watch.holder(spec)
        if holder is not None:
            raise ForeignChannelError(
                f"channel {name} is held by pid {holder} ({processes.command_line(holder) or 'command not readable'})"
            )
        command = Command(
            argv=spec.argv,
            cwd=spec.cwd,
            env=dict(spec.env),
            marker=f"{self._prefix}{name}/{self.digest(spec)}-{secrets.token_hex(4)}",
            log=self._new_log(name),
            timer_slack=spec.resources.timer_slack,
            own_user_namespace=spec.kind is Kind.CONNECTOR and not self._softens and self._has_namespaces(),
        )
        return processes.spawn(command)

    def apply_resources(self, process: Process, spec: UnitSpec) -> None:
        """Set what the unit may use, before its gate opens. Raises SpawnError."""
        processes.apply_resources(process.id.pid, spec.resources, self._nofile)

    def digest(self, spec: UnitSpec) -> str:
        """Return what the marker of a process started from `spec` tells of it."""
        cached = self._digests.get(spec.name)
        if cached is None or cached[0] is not spec:
            cached = self._digests[spec.name] = (spec, digest(spec))
        return cached[1]

    def log_of(self, name: str, process: Process | None) -> str | None:
        """Return where the unit writes, or wrote last."""
        if process is not None and process.log not in {None, "", os.devnull}:
            return process.log
        return self._logs.latest(name)

    def _repair(self, name: str, spec: UnitSpec) -> None:
        """Clear the channel of a connector whose starts fail again and again, when nobody can be using it."""
        if spec.channel is None:
            return
        try:
            removed = repair(watch.location(spec), spec.channel.name)
        except OSError as error:
            self._note(name, "not-repaired", f"cannot look at the channel's remains: {error.strerror}")
            return
        if removed:
            self._note(name, "repaired", f"removed remains that no process used: {', '.join(map(str, removed))}")

    def _new_log(self, name: str) -> str:
        try:
            return str(self._logs.new(name))
        except OSError as error:
            self._note(name, "no-log", f"cannot write {self._home.logs}: {error.strerror}; its output is lost")
            return os.devnull

    def _has_namespaces(self) -> bool:
        if self._namespaces is None:
            self._namespaces = processes.user_namespaces_work()
        return self._namespaces
