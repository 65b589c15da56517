"""What can be asked of a supervisor over its socket: apply, abort, down, status, events."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from orchestrator.deployment import codec
from orchestrator.deployment.codec import DecodeError
from orchestrator.deployment.diff import difference
from orchestrator.deployment.model import FORMAT, Deployment, Kind
from orchestrator.errors import RefusedError, UsageError
from orchestrator.supervise.graph import unmet
from orchestrator.supervise.process import command_line
from orchestrator.supervise.report import instant, is_reached
from orchestrator.supervise.unit import State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.control.server import Connection, Handler
    from orchestrator.deployment.model import UnitSpec
    from orchestrator.supervise.supervisor import Supervisor
    from orchestrator.supervise.unit import Unit


_LASTS: Final = 0.25
"""Seconds that a unit without a check must have run before `up` believes in it."""


class Operations:
    """Serves one supervisor. One `apply` at a time; `down` ends an `apply` that is under way."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._applying: int | None = None
        self._begun: WeakKeyDictionary[Connection, tuple[str, ...]] = WeakKeyDictionary()
        self._downs = 0
        self.leave = asyncio.Event()

    @property
    def is_idle(self) -> bool:
        """Tell whether no `apply` and no `down` is under way."""
        return self._applying is None and not self._downs

    def methods(self) -> dict[str, Handler]:
        """Return the methods by name, as they are called on the socket."""
        return {
            "apply": self.apply,
            "abort": self.abort,
            "down": self.down,
            "status": self.status,
            "events": self.events,
        }

    async def status(self, _: Connection, __: dict[str, Any]) -> dict[str, Any]:
        """Return the object of `status --format json`."""
        supervisor = self._supervisor
        deployment = supervisor.deployment
        return {
            "stack": supervisor.stack,
            "file": None if deployment is None else deployment.file,
            "network": None if deployment is None else deployment.network,
            "supervised": True,
            "supervisor": {"pid": os.getpid(), "since": instant(supervisor.started)},
            "units": supervisor.describe(),
        }

    async def events(self, connection: Connection, _: dict[str, Any]) -> dict[str, Any]:
        """From now on, tell this client every event."""
        self._listen(connection)
        return {}

    async def apply(self, connection: Connection, params: dict[str, Any]) -> dict[str, Any]:
        """Bring a deployment in and return when every unit is ready or one has failed.

        Params: `deployment`; `timeout` in seconds or null. The result's `reached` is false with `blocked`, the names of
        the units that did not reach their target, when one failed or the time ran out.
        """
        deployment = _deployment(params)
        timeout = params.get("timeout")
        if timeout is not None and not isinstance(timeout, int | float):
            raise UsageError("timeout must be seconds or null")
        supervisor = self._supervisor
        self._refuse_apply(deployment)
        change = difference(supervisor.deployment if supervisor.pids() else None, deployment)
        was_down = tuple(spec.name for spec in deployment.units if not self._was_wanted(spec.name))
        self._applying = connection.pid
        self._begun[connection] = was_down
        heard = self._listen(connection)
        try:
            supervisor.apply(deployment)
            blocked = await self._settled(deployment, timeout)
        finally:
            self._applying = None
            supervisor.listeners.discard(heard)
        return {
            "reached": not blocked,
            "blocked": blocked,
            "change": codec.plain(change),
            "units": supervisor.describe(),
        }

    def _was_wanted(self, name: str) -> bool:
        unit = self._supervisor.graph.units.get(name)
        return unit is not None and unit.wanted

    def _refuse_apply(self, deployment: Deployment) -> None:
        supervisor = self._supervisor
        if deployment.stack != supervisor.stack:
            raise UsageError(f"this supervisor runs {supervisor.stack}, not {deployment.stack}")
        if self._downs or self.leave.is_set():
            raise RefusedError(f"{supervisor.stack} is being stopped", hint="wait for `hftstack down` to end")
        if self._applying is not None:
            raise RefusedError(
                f"another `up` of {supervisor.stack} is under way, by pid {self._applying}", hint="wait for it to end"
            )
        current = supervisor.deployment
        if current is not None and current.file != deployment.file and supervisor.pids():
            raise RefusedError(
                f"a stack named {supervisor.stack} is running from {current.file}",
                where=deployment.file,
                hint="give this one another `name:`, or stop that one first",
            )

    async def _settled(self, deployment: Deployment, timeout: float | None) -> list[str]:  # noqa: ASYNC109 - a request's own
        """Return the units that did not reach their target, none when all did."""
        supervisor = self._supervisor
        begun = supervisor.now()
        limits: dict[str, float] = {}
        while True:
            now = supervisor.now()
            blocked = []
            young = False
            over = timeout is not None and now - begun >= timeout
            waking = [] if timeout is None else [begun + timeout]
            for spec in deployment.units:
                unit = supervisor.graph.units.get(spec.name)
                if unit is None:
                    continue
                if is_reached(unit, spec):
                    proven_at = unit.spawned + _LASTS if _is_unchecked(spec) and unit.alive else now
                    if now < proven_at:
                        young = True
                        waking.append(proven_at)
                    continue
                blocked.append(spec.name)
                if self._is_bounded_itself(spec, unit):
                    limits.pop(spec.name, None)
                else:
                    limits.setdefault(spec.name, now + spec.health.startup + 1.0)
                late = now >= limits.get(spec.name, now + 1)
                over = over or late or unit.overdue or unit.state in {State.FAILED, State.STOPPED, State.LOST}
                if spec.name in limits:
                    waking.append(limits[spec.name])
            if over or self._downs or not (blocked or young):
                return blocked
            await supervisor.changed(None if not waking else max(0.0, min(waking) - now))

    def _is_bounded_itself(self, spec: UnitSpec, unit: Unit) -> bool:
        """Tell whether a unit is stopping, or waits for another one that is itself on its way."""
        if unit.state is State.STOPPING:
            return True
        graph = self._supervisor.graph
        return unit.state is State.WAITING and any(
            not is_reached(graph.units[edge.unit], graph.specs[edge.unit])
            for edge in unmet(spec, graph.units, graph.specs)
            if edge.unit in graph.specs
        )

    async def abort(self, connection: Connection, _: dict[str, Any]) -> dict[str, Any]:
        """Stop what this connection's `apply` started, in reverse; all of it is `down`."""
        supervisor = self._supervisor
        begun = self._begun.get(connection, ())
        others = set(supervisor.pids()) - set(begun)
        if not others:
            return await self._down(hurry=False)
        self._downs += 1
        stopped = [name for name in begun if name in supervisor.pids()]
        try:
            supervisor.stop(begun, "interrupted")
            await self._until_gone(begun)
        finally:
            self._downs -= 1
        return {"stopped": stopped, "units": supervisor.describe(), "leftovers": {}}

    async def down(self, connection: Connection, params: dict[str, Any]) -> dict[str, Any]:
        """Stop every unit, dependents first, and then the supervisor.

        Params: `hurry` takes the grace away from bots; `force` goes on although a foreign bot is attached. Raises
        RefusedError that names it. `leftovers` of the result maps the pids that could not be ended to their command.
        """
        strangers = self._supervisor.strangers()
        if strangers and not params.get("force"):
            name, pid = strangers[0]
            raise RefusedError(
                f"a bot that is not ours is attached to channel {name}: pid {pid} ({command_line(pid)})",
                where=name,
                hint="stop it first, or use --force: it will be blind",
            )
        heard = self._listen(connection)
        try:
            return await self._down(hurry=bool(params.get("hurry")))
        finally:
            self._supervisor.listeners.discard(heard)

    async def _down(self, *, hurry: bool) -> dict[str, Any]:
        self._downs += 1
        supervisor = self._supervisor
        try:
            stopped = [unit["name"] for unit in supervisor.describe() if unit["pid"] is not None]
            supervisor.stop(list(supervisor.graph.units), "down", hurry=hurry)
            await self._until_gone(list(supervisor.graph.units))
            left = await supervisor.sweep_all()
        finally:
            self._downs -= 1
        units = supervisor.describe()
        supervisor.note(None, "down", f"{len(stopped)} units stopped")
        self.leave.set()
        return {
            "stopped": stopped,
            "units": units,
            "leftovers": {str(pid): command for pid, command in left.items()},
        }

    async def terminate(self, *, hurry: bool) -> None:
        """Do what SIGTERM asks for: an ordered down."""
        await self._down(hurry=hurry)

    async def _until_gone(self, names: Iterable[str]) -> None:
        supervisor = self._supervisor
        while any(
            unit.alive and unit.state is not State.LOST
            for name, unit in supervisor.graph.units.items()
            if name in set(names)
        ):
            await supervisor.changed()

    def _listen(self, connection: Connection) -> Any:  # noqa: ANN401 - a callable, kept to be removed
        supervisor = self._supervisor

        def heard(event: dict[str, Any]) -> None:
            if connection.closed.is_set():
                supervisor.listeners.discard(heard)
            else:
                connection.notify("event", event)

        supervisor.listeners.add(heard)
        return heard


def _is_unchecked(spec: UnitSpec) -> bool:
    """Tell whether nothing shows the unit to be ready but that it runs."""
    return spec.kind is not Kind.CONNECTOR and spec.ready is None and not spec.attaches


def _deployment(params: dict[str, Any]) -> Deployment:
    data = params.get("deployment")
    if isinstance(data, dict) and data.get("format") != FORMAT:
        raise RefusedError(
            f"the supervisor knows deployments of format {FORMAT}, this one is {data.get('format')}",
            hint="run the same hftstack for the supervisor and the command: `down`, then `up`",
        )
    try:
        return codec.build(Deployment, data)
    except DecodeError as error:
        raise UsageError(f"not a deployment: {error}") from None
