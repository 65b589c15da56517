"""A stack from Python: load, up, status, wait, down, by the engine that the command line uses.

stack = Stack.load("stacks/prod.yaml")
stack.up()
stack.wait("bf", for_="fresh", timeout=30)
stack.down()
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast

from orchestrator.deployment.homes import locate
from orchestrator.errors import InterruptedByUserError, NotReachedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestrator.build import BuildRequest, BuildResult
    from orchestrator.build import Progress as BuildProgress
    from orchestrator.deployment.homes import StackHome
    from orchestrator.stack.model import Stack as Loaded

Rung = Literal["started", "live", "connected", "fresh", "ready", "stopped"]
"""What can be waited for; live, connected and fresh are of connectors."""


class Event(TypedDict):
    """What happened: to which unit, or to the stack as a whole; `at` is RFC 3339 in UTC.

    `what` is one of the journal's words (start, level, up, exit, restart, ...), or build, or warning.
    """

    unit: str | None
    what: str
    text: str
    at: str


class BotStatus(TypedDict):
    """A bot on a channel; counts in messages, null where they cannot be read."""

    pid: int
    written: int | None
    lag: int | None


class ChannelStatus(TypedDict):
    """A connector's channel; `rate` in messages a second, `silent` in seconds."""

    verdict: str | None
    iceoryx2: str | None
    bots: list[BotStatus]
    detail: str | None
    rate: float | None
    silent: float | None


class UnitStatus(TypedDict):
    """A unit. `exit` is negative for a signal, `since` and `next_start` RFC 3339 in UTC, `log_lost` in bytes.

    What has no value is None.
    """

    name: str
    kind: Literal["connector", "bot", "service"]
    state: str
    level: str | None
    pid: int | None
    since: str | None
    restarts: int | None
    exit: int | None
    proven: bool | None
    channel: ChannelStatus | None
    wanted: bool
    target: str
    reached: bool
    why: str | None
    external: bool
    waits_for: list[str]
    depends_on: list[str]
    unclean: str | None
    log: str | None
    log_lost: int
    policy: Literal["never", "on-failure", "always"]
    next_start: str | None


class SupervisorStatus(TypedDict):
    """The supervisor's process; `since` RFC 3339 in UTC."""

    pid: int
    since: str


class Halted(TypedDict):
    """Why a stack is kept down; `at` RFC 3339 in UTC, `scope` says whether with all stacks of the user."""

    reason: str
    user: str
    at: str | None
    scope: Literal["user", "stack"]


class Drift(TypedDict):
    """What has changed since `up`: a file of the stack, a unit's binary or config, or the environment of this process.

    `unit` is None for what concerns the whole stack.
    """

    unit: str | None
    what: Literal["file", "binary", "config", "environment"]
    text: str


class StackStatus(TypedDict):
    """The object of `hftstack status --format json`."""

    stack: str
    file: str | None
    network: str | None
    supervised: bool
    supervisor: SupervisorStatus | None
    halted: Halted | None
    units: list[UnitStatus]
    drift: list[Drift]


class Stack:
    """A stack file, validated, and what runs of it. Every error is one of `orchestrator.errors`."""

    def __init__(self, loaded: Loaded, environ: Mapping[str, str]) -> None:
        """Use `load`."""
        self._loaded = loaded
        self._environ = environ

    @classmethod
    def load(cls, path: str | Path, environ: Mapping[str, str] | None = None) -> Stack:
        """Read and judge a stack file.

        Args:
            path: the file.
            environ: variables for `${VAR}`, for programs on PATH and for the home of hftstack; None is os.environ.

        Raises:
            StackError: holds every mistake of the file and of the config files that it names.
        """
        from orchestrator import venue  # noqa: PLC0415 - pydantic and yaml, which an import alone need not pay

        variables = dict(os.environ if environ is None else environ)
        return cls(venue.load(Path(path), variables), variables)

    @property
    def name(self) -> str:
        """The stack's name, unique on a machine."""
        return self._loaded.name

    @property
    def file(self) -> Path:
        """The stack file, absolute."""
        return Path(self._loaded.file)

    @property
    def units(self) -> tuple[str, ...]:
        """The names of its units, each after what it depends on."""
        return tuple(self._loaded.order())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is doubtful in the file."""
        return tuple(map(str, self._loaded.warnings))

    def up(
        self,
        only: str | Sequence[str] | None = None,
        *,
        timeout: float | None = None,
        build: bool = True,
        locked: bool = False,
        until_logout: bool = False,
        progress: Callable[[Event], None] = lambda _: None,
    ) -> StackStatus:
        """Build, start what is down, change what differs; return when every unit is ready. What runs well is kept.

        Ctrl-C stops what this call started.

        Args:
            only: units to start, with what they need; None for all.
            timeout: seconds to wait for the units; None for each unit's own bound.
            build: False takes the binaries of an earlier build.
            locked: refuse what differs from the lock beside the stack file.
            until_logout: the channels may go with this user's logout.
            progress: takes what happens, as it happens, in the calling thread.

        Raises:
            BuildError: cargo failed.
            RefusedError: the stack is halted, a start would fail or harm, or another `up` or `down` is under way.
            NotReachedError: a unit did not get there, with its last words; what runs is left running.
        """
        from orchestrator.engine import ascent, preparation  # noqa: PLC0415 - 200 ms for an `up` only
        from orchestrator.observe import failure, selection  # noqa: PLC0415

        names = _names(only)
        selection.check_units(self.name, names, self.units)
        home = preparation.claim(self._loaded, locate(self._environ), self._environ)
        prepared = preparation.prepare(
            self._loaded,
            home,
            environ=self._environ,
            build=self._builder(progress) if build else None,
            only=names or None,
            locked=locked,
            until_logout=until_logout,
        )
        for warning in prepared.warnings:
            progress(_event("warning", warning))
        try:
            result = ascent.up(
                prepared,
                environ=self._environ,
                only=names or None,
                timeout=timeout,
                heard=lambda event: progress(cast("Event", event)),
            )
        except InterruptedByUserError as error:
            raise KeyboardInterrupt(str(error)) from None
        if not result["reached"]:
            specs = {spec.name: spec for spec in prepared.deployment.units}
            told, _ = failure.explanations(result, specs, self.name)
            raise NotReachedError(
                f"{', '.join(result['blocked'])} did not get there",
                where=self.name,
                detail="\n".join(line for lines in told for line in lines),
            )
        return self.status()

    def status(self) -> StackStatus:
        """Return what is live, what is blind, since when and why; also of a stack that does not run.

        Raises RefusedError when a stack of this name runs from another file, or its supervisor cannot be reached.
        """
        from orchestrator.engine import look  # noqa: PLC0415 - for this call only

        return cast("StackStatus", look.status(self._own(), self._environ))

    def wait(
        self, units: str | Sequence[str] | None = None, *, for_: Rung = "ready", timeout: float | None = None
    ) -> StackStatus:
        """Return when units are where they should be.

        Args:
            units: their names; None for all that are wanted, or that `for_` can be asked of.
            for_: the rung of readiness; fresh means that messages move to the attached bots.
            timeout: seconds; None waits for as long as it takes.

        Raises:
            UsageError: the stack has no such unit, or it never gets to that rung.
            NotReachedError: the time is over, or a unit will not get there.
            NotSupervisedError: the stack does not run.
        """
        from orchestrator.engine import awaiting  # noqa: PLC0415 - for this call only
        from orchestrator.observe.awaited import Awaited, rows  # noqa: PLC0415

        home, names, awaited = self._own(), _names(units), Awaited(for_)
        awaiting.check(home, names, awaited)
        found = awaiting.wait(home, names, awaited, timeout=timeout)
        if found.missing:
            why = "will not get there" if found.hopeless else f"not there within {timeout:g} s"
            raise NotReachedError(
                f"{awaited.value}: {', '.join(found.hopeless or found.missing)} {why}",
                where=self.name,
                detail="\n".join("  ".join(row).rstrip() for row in rows(found)),
            )
        return self.status()

    def down(
        self, *, now: bool = False, force: bool = False, progress: Callable[[Event], None] = lambda _: None
    ) -> tuple[str, ...]:
        """Stop it, bots first; return the names of the units that were stopped. Orders are not cancelled.

        Args:
            now: do not wait for bots.
            force: go on although a bot that is not ours is attached.
            progress: takes what happens, as it happens, in the calling thread.

        Raises:
            RefusedError: a bot that is not ours is attached.
            NotReachedError: all is stopped, and a unit did not end cleanly, or something is left.
        """
        from orchestrator.engine import descent  # noqa: PLC0415 - for this call only

        try:
            result = descent.down(
                self._own(),
                environ=self._environ,
                hurry=now,
                force=force,
                heard=lambda event: progress(cast("Event", event)),
            )
        except InterruptedByUserError as error:
            raise KeyboardInterrupt(str(error)) from None
        if result is None:
            return ()
        if not descent.is_clean(result):
            raise NotReachedError("it did not end cleanly", where=self.name, detail=_unclean(result))
        return tuple(result["stopped"])

    def _own(self) -> StackHome:
        from orchestrator.engine import preparation  # noqa: PLC0415 - for a call only

        home = locate(self._environ).stack(self.name)
        preparation.refuse_another(self._loaded, home)
        return home

    def _builder(self, progress: Callable[[Event], None]) -> Callable[[BuildRequest], BuildResult]:
        def told(step: BuildProgress) -> None:
            progress(_event("build", f"{step.done} of {step.total}, {step.what}" if step.total else step.what))

        def builder(request: BuildRequest) -> BuildResult:
            from orchestrator import build  # noqa: PLC0415 - for an `up` only

            result = build.ensure(request, environ=self._environ, progress=told)
            for warning in result.warnings:
                progress(_event("warning", warning))
            return result

        return builder


def _names(units: str | Sequence[str] | None) -> list[str]:
    return [] if units is None else [units] if isinstance(units, str) else list(units)


def _event(what: str, text: str) -> Event:
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"unit": None, "what": what, "text": text, "at": at}


def _unclean(result: Mapping[str, Any]) -> str:
    lines = [f"{unit['name']}: {unit['unclean']}" for unit in result["units"] if unit["unclean"]]
    lines += [f"{unit['name']}: lost, {unit['why']}" for unit in result["units"] if unit["state"] == "lost"]
    return "\n".join([*lines, *(f"left behind: pid {pid} ({text})" for pid, text in result["leftovers"].items())])
