"""What an operator asks of single units over the socket: start, stop, restart."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from orchestrator.errors import RefusedError, UsageError
from orchestrator.supervise.attribution import asked_by
from orchestrator.supervise.graph import below, needed
from orchestrator.supervise.listening import listening
from orchestrator.supervise.process import command_line
from orchestrator.supervise.settlement import Settlement, gone, settled
from orchestrator.supervise.unit import State

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from orchestrator.control.server import Connection, Handler
    from orchestrator.supervise.supervisor import Supervisor

STOPPED: Final = "stopped by the operator"
RESTARTED: Final = "restarted by the operator"
_DONE_WITH: Final = frozenset({State.FAILED, State.FINISHED})


class Orders:
    """Serves one supervisor. `leaving` tells that the whole stack is being stopped."""

    def __init__(self, supervisor: Supervisor, leaving: Callable[[], bool]) -> None:
        self._supervisor = supervisor
        self._leaving = leaving
        self._begun: WeakKeyDictionary[Connection, tuple[str, ...]] = WeakKeyDictionary()

    def methods(self) -> dict[str, Handler]:
        """Return the methods by name, as they are called on the socket."""
        return {
            "start": self.start,
            "withdraw": self.withdraw,
            "stop": self.stop,
            "restart": self.restart,
            "reset": self.reset,
        }

    async def start(self, connection: Connection, params: dict[str, Any]) -> dict[str, Any]:
        """Start units and what they need, and return when each is ready or will not be.

        Params: `units`; `timeout` in seconds or null. The result's `blocked` are those that did not reach their target,
        `coming` those that were on their way when the time ran out, `started` those that were not wanted before.
        """
        return await self._start("start", connection, params)

    async def _start(self, verb: str, connection: Connection, params: dict[str, Any]) -> dict[str, Any]:
        supervisor = self._supervisor
        supervisor.refuse_halted()
        names, timeout = self._named(params), seconds(params)
        chosen = needed(supervisor.graph.specs, names)
        begun = tuple(name for name in chosen if not supervisor.graph.units[name].wanted)
        self._begun[connection] = begun
        with listening(supervisor, connection), self._told(verb, names, params):
            supervisor.start(names)
            settlement = await self._settled(chosen, timeout)
        return {**settlement.result(), "started": begun, "units": supervisor.describe()}

    async def reset(self, connection: Connection, params: dict[str, Any]) -> dict[str, Any]:
        """Start those of these units that have failed, or wait for their next start, with nothing held against them.

        Params and result are those of `start`; `started` are the units that it concerned.
        """
        supervisor = self._supervisor
        names = self._named(params)
        units = supervisor.graph.units
        latched = [name for name in names if units[name].state in {State.FAILED, State.BACKOFF}]
        if not latched:
            return {**Settlement().result(), "started": [], "units": supervisor.describe()}
        for name in latched:
            supervisor.note(name, "reset", units[name].why or "")
        result = await self._start("reset", connection, {**params, "units": latched})
        return {**result, "started": latched}

    async def withdraw(self, connection: Connection, _: dict[str, Any]) -> dict[str, Any]:
        """Stop again what this connection's `start` started."""
        supervisor = self._supervisor
        begun = self._begun.get(connection, ())
        stopped = [name for name in begun if name in supervisor.pids()]
        supervisor.stop(begun, "interrupted")
        await gone(supervisor, begun)
        return {"stopped": stopped, "units": supervisor.describe()}

    async def stop(self, connection: Connection, params: dict[str, Any]) -> dict[str, Any]:
        """Stop units and what hangs below them, dependents first; they stay down until somebody starts them.

        Params: `units`; `hurry` takes the grace away from bots; `force` goes on although a foreign bot is attached. The
        result's `stopped` are those that ran, or were to run, and do no more. Raises RefusedError.
        """
        supervisor = self._supervisor
        names = self._named(params)
        chosen = below(supervisor.graph, names)
        refuse_strangers(supervisor, chosen, force=bool(params.get("force")))
        units = supervisor.graph.units
        affected = [name for name in units if name in chosen and (units[name].alive or units[name].wanted)]
        with listening(supervisor, connection), self._told("stop", names, params):
            supervisor.stop(names, STOPPED, hurry=bool(params.get("hurry")))
            await gone(supervisor, chosen)
            await supervisor.swept()
        left = supervisor.graph.units
        stopped = [name for name in affected if name not in left or not left[name].wanted]
        return {"stopped": stopped, "units": supervisor.describe()}

    async def restart(self, connection: Connection, params: dict[str, Any]) -> dict[str, Any]:
        """Stop units and start them again with what they need, the bots on them too; return as `start` does.

        Params: `units`; `timeout` in seconds or null; `force` as in `stop`. The result's `restarted` are all that ran
        and got another process. Raises RefusedError for a foreign bot, and for a unit that is not ours to restart.
        """
        supervisor = self._supervisor
        supervisor.refuse_halted()
        names, timeout = self._named(params), seconds(params)
        for name in names:
            if supervisor.graph.specs[name].external:
                raise RefusedError(
                    "it is external: not ours to restart",
                    where=name,
                    hint="restart it where it was started; its bots follow",
                )
        chosen = below(supervisor.graph, names)
        refuse_strangers(supervisor, chosen, force=bool(params.get("force")))
        before = supervisor.graph
        specs = before.specs
        with listening(supervisor, connection), self._told("restart", names, params):
            supervisor.restart(names, RESTARTED)
            following = [name for name in chosen if name in specs and self._follows(name)]
            waited = {*needed(specs, names), *following}
            settlement = await self._settled(waited, timeout)
        after = supervisor.graph.units
        restarted = [
            name
            for name, unit in before.units.items()
            if name in chosen and unit.alive and name in after and after[name].born > unit.born
        ]
        return {**settlement.result(), "restarted": restarted, "units": supervisor.describe()}

    @contextmanager
    def _told(self, verb: str, names: Collection[str], params: dict[str, Any]) -> Iterator[None]:
        """Journal who asks for what, and when it is done."""
        by = asked_by(params)["user"]
        text = f"{verb} {', '.join(names)}{f', by {by}' if by else ''}"
        self._supervisor.note(None, "order", text, {"user": by, "verb": verb, "units": list(names)})
        try:
            yield
        finally:
            self._supervisor.note(None, "done", verb)

    def _follows(self, name: str) -> bool:
        unit = self._supervisor.graph.units[name]
        return unit.wanted and unit.state not in _DONE_WITH

    async def _settled(self, names: Collection[str], timeout: float | None) -> Settlement:  # noqa: ASYNC109 - a request's own
        specs = [spec for name, spec in self._supervisor.graph.specs.items() if name in names]
        settlement = await settled(self._supervisor, specs, timeout, self._leaving)
        if self._supervisor.graph.halted is not None:
            self._supervisor.refuse_halted()
        return settlement

    def _named(self, params: dict[str, Any]) -> tuple[str, ...]:
        """Return the units that are meant. Raises RefusedError while the stack goes down, UsageError."""
        supervisor = self._supervisor
        if self._leaving():
            raise RefusedError(f"{supervisor.stack} is being stopped", hint="wait for `hftstack down` to end")
        return known(params.get("units"), supervisor.stack, supervisor.graph.specs)


def known(names: object, stack: str, specs: Collection[str]) -> tuple[str, ...]:
    """Return unit names as they came over the socket. Raises UsageError for what is none, or not the stack's."""
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise UsageError("units must be a list of names")
    for name in names:
        if name not in specs:
            raise UsageError(f"{stack} has no unit {name}", hint=f"it has {', '.join(specs) or 'none'}")
    return tuple(dict.fromkeys(names))


def seconds(params: dict[str, Any]) -> float | None:
    """Return the `timeout` of a request. Raises UsageError."""
    timeout = params.get("timeout")
    if timeout is None or (isinstance(timeout, int | float) and not isinstance(timeout, bool)):
        return timeout
    raise UsageError("timeout must be seconds or null")


def refuse_strangers(supervisor: Supervisor, names: Iterable[str], *, force: bool) -> None:
    """Raise RefusedError when a bot that is not ours is attached to a channel of these units."""
    chosen = set(names)
    strangers = [] if force else [(name, pid) for name, pid in supervisor.strangers() if name in chosen]
    if strangers:
        name, pid = strangers[0]
        raise RefusedError(
            f"a bot that is not ours is attached to channel {name}: pid {pid} ({command_line(pid)})",
            where=name,
            hint="stop it first, or use --force: it will be blind",
        )
