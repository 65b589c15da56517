"""What can be asked of a supervisor over its socket about the whole stack: apply, abort, down, status, events."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from orchestrator.deployment import codec
from orchestrator.deployment.codec import DecodeError
from orchestrator.deployment.diff import difference
from orchestrator.deployment.model import FORMAT, Deployment
from orchestrator.deployment.partial import narrowed
from orchestrator.errors import RefusedError, UsageError
from orchestrator.supervise import halt as halts
from orchestrator.supervise import rollback
from orchestrator.supervise.attribution import asked_by, edges, told
from orchestrator.supervise.configs import missing
from orchestrator.supervise.graph import needed
from orchestrator.supervise.listening import beating, listen, listening
from orchestrator.supervise.orders import Orders, known, refuse_strangers, seconds
from orchestrator.supervise.report import instant
from orchestrator.supervise.settlement import Settlement, gone, settled

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from orchestrator.control.server import Connection, Handler
    from orchestrator.deployment.model import UnitSpec
    from orchestrator.supervise.records import Before
    from orchestrator.supervise.supervisor import Supervisor


_LINGER: Final = 1.0
"""Seconds in which a halted stack's supervisor tells whoever halts it how it went."""


class Operations:
    """Serves one supervisor. One `apply` at a time; `down` ends an `apply` that is under way."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self.applied = False
        self._applying: int | None = None
        self._unfinished: Before | None = None
        self._begun: WeakKeyDictionary[Connection, tuple[str, ...]] = WeakKeyDictionary()
        self._downs = 0
        self.leave = asyncio.Event()
        self.brought_in: Callable[[], None] = lambda: None
        self._orders = Orders(supervisor, self._is_leaving)
        self._halting: asyncio.Task[dict[str, Any]] | None = None
        supervisor.obey = self.obey

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
            "halt": self.halt,
            "status": self.status,
            "events": self.events,
            **self._orders.methods(),
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
            "halted": halts.describe(supervisor.latched()),
            "units": supervisor.describe(),
        }

    async def events(self, connection: Connection, _: dict[str, Any]) -> dict[str, Any]:
        """From now on, tell this client every event."""
        listen(self._supervisor, connection)
        return {}

    async def apply(self, connection: Connection, params: dict[str, Any]) -> dict[str, Any]:
        """Bring a deployment in and return when every unit is ready, or will not be.

        Params: `deployment`; `timeout` in seconds or null; `only`, the units that are brought in and started with what
        they need, or null for all. The result's `reached` is false with `blocked`, the names of the units that did not
        reach their target, when one failed or the time ran out; `coming` are those that were on their way even then.
        """
        supervisor = self._supervisor
        timeout = seconds(params)
        deployment, only = self._asked_for(params)
        if self.leave.is_set() and not self._downs:
            await asyncio.Event().wait()  # never answered: the supervisor after this one is asked again
        self._refuse_apply(deployment)
        change = difference(supervisor.deployment if supervisor.pids() else None, deployment)
        specs = [spec for spec in deployment.units if only is None or spec.name in only]
        for path in missing(specs):
            raise RefusedError("a rendered config was removed meanwhile", where=path, hint="run `up` again")
        was_down = tuple(spec.name for spec in specs if not self._was_wanted(spec.name))
        unfinished, self._unfinished = self._unfinished, None
        before = None
        if deployment.rollback:
            before = rollback.before(supervisor, deployment, specs, asked_by(params), unfinished)
        self.applied = True
        self._applying = connection.pid
        self._begun[connection] = was_down
        rolled_back = None
        try:
            with listening(supervisor, connection):
                supervisor.spare(before)
                self.bring_in(deployment, only, asked_by(params), plan=params.get("plan"))
                settlement = await self.settle(specs, timeout)
                units = supervisor.describe()
                if before is not None:
                    rolled_back = await self._roll_back(before, settlement)
        finally:
            self._applying = None
            supervisor.spare(None)
        if supervisor.graph.halted is not None:
            supervisor.refuse_halted()
        return {
            **settlement.result(),
            "change": codec.plain(change),
            "units": units,
            "rolled_back": rolled_back,
        }

    def take_up(self, *, hold: bool) -> Coroutine[Any, Any, None] | None:
        """Go on where an earlier supervisor died in the midst of a change that is taken back if it does not work out.

        Returns what is left to do in the loop. `hold`: an `up` follows, to which this is left.
        """
        supervisor = self._supervisor
        before = supervisor.unfinished()
        if before is None:
            return None
        lost = missing([spec for spec in before.deployment.units if spec.name in before.wanted])
        if lost:
            supervisor.note(None, "rollback", f"impossible by now: {lost[0]} is gone")
        if lost or supervisor.graph.halted is not None:
            supervisor.spare(None)
            return None
        supervisor.spare(before)
        if hold:
            self._unfinished = before
            return None
        if supervisor.deployment == before.deployment:  # not begun, or taken back already
            self._bring_back(before)
            supervisor.spare(None)
            return None
        self._applying = os.getpid()
        return self._finish(before)

    async def _finish(self, before: Before) -> None:
        deployment = self._supervisor.deployment
        units = () if deployment is None else deployment.units
        try:
            settlement = await self.settle([spec for spec in units if spec.name in before.settling])
            await self._roll_back(before, settlement)
        finally:
            self._applying = None
            self._supervisor.spare(None)

    async def _roll_back(self, before: Before, settlement: Settlement) -> dict[str, Any] | None:
        """Bring back what ran before when a unit that was changed did not get there; returns what became of that."""
        culprits = rollback.culprits(before, settlement)
        if not culprits or self._supervisor.graph.halted is not None or self._is_leaving():
            return None
        names = ", ".join(culprits)
        self._supervisor.note(None, "rollback", f"{names} did not get there: back to what ran before")
        self._bring_back(before)
        specs = [spec for spec in before.deployment.units if spec.name in before.wanted]
        return {**(await self.settle(specs)).result(), "culprits": list(culprits), "units": self._supervisor.describe()}

    def _bring_back(self, before: Before) -> None:
        self.bring_in(before.deployment, before.wanted, rollback.asked_by(before))
        idle = [spec.name for spec in before.deployment.units if spec.name not in before.wanted]
        self._supervisor.stop(idle, "it was stopped before")

    def bring_in(
        self, deployment: Deployment, only: Sequence[str] | None, by: dict[str, Any], *, plan: object = None
    ) -> None:
        """Bring a deployment in for somebody, who is journaled with the plan's digest. Raises RefusedError."""
        named = None if only is None else list(only)
        reviewed = plan if isinstance(plan, str) else None
        data = {**by, "plan": reviewed, "file": deployment.file, "only": named, "edges": edges(deployment.units)}
        self._supervisor.note(None, "up", told(by), data)
        self._supervisor.apply(deployment, only=only)
        self.brought_in()

    async def settle(self, specs: Sequence[UnitSpec], timeout: float | None = None) -> Settlement:  # noqa: ASYNC109 - a request's own
        """Return what became of the units, which is journaled."""
        settlement = await settled(self._supervisor, specs, timeout, self._is_leaving)
        missing = ", ".join(settlement.blocked)
        self._supervisor.note(None, "settled", f"not reached: {missing}" if missing else "")
        return settlement

    def _asked_for(self, params: dict[str, Any]) -> tuple[Deployment, tuple[str, ...] | None]:
        """Return the deployment to bring in, and the units to start; None for all. Raises UsageError, RefusedError."""
        deployment = _deployment(params)
        if params.get("only") is None:
            return deployment, None
        specs = {spec.name: spec for spec in deployment.units}
        only = needed(specs, known(params["only"], deployment.stack, specs))
        runs = any(unit.alive for unit in self._supervisor.graph.units.values())
        return narrowed(self._supervisor.deployment if runs else None, deployment, only), only

    def _is_leaving(self) -> bool:
        return self._downs > 0 or self.leave.is_set()

    def _was_wanted(self, name: str) -> bool:
        unit = self._supervisor.graph.units.get(name)
        return unit is not None and unit.wanted

    def _refuse_apply(self, deployment: Deployment) -> None:
        supervisor = self._supervisor
        supervisor.refuse_halted()
        if deployment.stack != supervisor.stack:
            raise UsageError(f"this supervisor runs {supervisor.stack}, not {deployment.stack}")
        if self._is_leaving():
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

    async def abort(self, connection: Connection, _: dict[str, Any]) -> dict[str, Any]:
        """Stop what this connection's `apply` started, in reverse; all of it is `down`."""
        supervisor = self._supervisor
        begun = self._begun.get(connection, ())
        others = set(supervisor.pids()) - set(begun)
        if not others:
            return await self._down(hurry=False, by=asked_by({}))
        self._downs += 1
        stopped = [name for name in begun if name in supervisor.pids()]
        try:
            supervisor.stop(begun, "interrupted")
            await gone(supervisor, begun)
        finally:
            self._downs -= 1
        return {"stopped": stopped, "units": supervisor.describe(), "leftovers": {}}

    async def down(self, connection: Connection, params: dict[str, Any]) -> dict[str, Any]:
        """Stop every unit, dependents first, and then the supervisor.

        Params: `hurry` takes the grace away from bots; `force` goes on although a foreign bot is attached. Raises
        RefusedError that names it. `leftovers` of the result maps the pids that could not be ended to their command.
        """
        supervisor = self._supervisor
        refuse_strangers(supervisor, supervisor.graph.units, force=bool(params.get("force")))
        with listening(supervisor, connection):
            return await self._down(hurry=bool(params.get("hurry")), by=asked_by(params))

    async def _down(self, *, hurry: bool, by: dict[str, Any]) -> dict[str, Any]:
        supervisor = self._supervisor
        supervisor.note(None, "stop", told(by), by)
        stopped = [name for name in supervisor.graph.units if name in supervisor.pids()]
        supervisor.set_aside()
        supervisor.stop(list(supervisor.graph.units), "down", hurry=hurry)
        result = await self._stopped(stopped, hurry=hurry)
        self.leave.set()
        return result

    async def _stopped(self, names: Sequence[str], *, hurry: bool) -> dict[str, Any]:
        """Return the result of a stop of the whole stack once it is through: `names` are those that ran."""
        self._downs += 1
        supervisor = self._supervisor
        try:
            await gone(supervisor, list(supervisor.graph.units))
            left = await supervisor.sweep_all()
            await supervisor.hooks_finished(hurry=hurry)
        finally:
            self._downs -= 1
        units = supervisor.describe()
        supervisor.note(None, "down", f"{len(names)} units stopped")
        return {
            "stopped": list(names),
            "units": units,
            "leftovers": {str(pid): command for pid, command in left.items()},
        }

    async def halt(self, connection: Connection, params: dict[str, Any]) -> dict[str, Any]:
        """Stop every unit, whatever is attached, because of a latch on disk, run `on_halt`, and leave.

        Params: `hurry` as in `down`, whose result it has; `why` where no latch could be written. While it lasts, the
        client is told `alive` again and again. Raises UsageError when nothing is halted.
        """
        why = params.get("why")
        if self._supervisor.latched() is None and self._halting is None and not isinstance(why, str):
            raise UsageError(f"{self._supervisor.stack} is not halted: there is no latch")
        with listening(self._supervisor, connection), beating(connection):
            result = await asyncio.shield(self._obey(str(why or "halted"), hurry=bool(params.get("hurry"))))
        self.leave.set()
        return result

    def obey(self) -> None:
        """Do what `halt` does because a latch was found on disk."""
        self._obey("halted", hurry=False)

    def _obey(self, why: str, *, hurry: bool) -> asyncio.Task[dict[str, Any]]:
        supervisor = self._supervisor
        if self._halting is None or hurry:
            supervisor.halt(str(supervisor.latched() or why), hurry=hurry)
        if self._halting is None:
            self._halting = asyncio.get_running_loop().create_task(self._halted())
        return self._halting

    async def _halted(self) -> dict[str, Any]:
        result = await self._stopped(self._supervisor.halted_units, hurry=False)
        asyncio.get_running_loop().call_later(_LINGER, self.leave.set)
        return result

    async def terminate(self, *, hurry: bool) -> None:
        """Do what SIGTERM asks for, whoever sent it: an ordered down."""
        await self._down(hurry=hurry, by=asked_by({}))


def _deployment(params: dict[str, Any]) -> Deployment:
    data = params.get("deployment")
    if isinstance(data, dict) and data.get("format") != FORMAT:
        raise RefusedError(
            f"the supervisor knows deployments of format {FORMAT}, this one is {data.get('format')}",
            hint="`hftstack upgrade` gives it the supervisor of the hftstack that is installed now; no unit is touched",
        )
    try:
        return codec.build(Deployment, data)
    except DecodeError as error:
        raise UsageError(f"not a deployment: {error}") from None
