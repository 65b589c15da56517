"""The operator's programs that are told of events: run one after another beside the units, never in their way."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from orchestrator.supervise import program
from orchestrator.supervise.unit import ending

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.deployment.model import Hook

_AT_ONCE: Final = 4
_ROOM: Final = 64
_LONGEST_GRACE: Final = 1.0
_NOT_EXECUTABLE: Final = {126: "exit 126: it, or its folder, cannot be used", 127: "exit 127: is it there?"}


class Hooks:
    """Runs hooks. `spared` holds their pids; `note` hears of what went wrong, once a run."""

    def __init__(self, spared: set[int], note: Callable[[str | None, str, str], None]) -> None:
        self._spared = spared
        self._note = note
        self._queue: deque[tuple[Hook, Mapping[str, Any]]] = deque()
        self._running: dict[asyncio.Task[None], float] = {}
        self._dropped = 0
        self._hurried = asyncio.Event()

    def tell(self, hook: Hook, event: Mapping[str, Any], *, urgent: bool = False) -> None:
        """Run a hook with the event as one JSON object on its stdin; with too many waiting, count it as dropped.

        An `urgent` one is run at once, beside however many others.
        """
        if urgent:
            self._begin(hook, event)
            return
        if len(self._queue) >= _ROOM:
            if not self._dropped:
                self._note(None, "hook", f"{_ROOM} events wait to be told: the next ones are dropped")
            self._dropped += 1
            return
        self._queue.append((hook, event))
        self._next()

    def under_way(self) -> float | None:
        """Return the seconds within which those that run and wait end or are ended; None when there are none."""
        return max([*self._running.values(), *(hook.timeout for hook, _ in self._queue)], default=None)

    def hurry(self) -> None:
        """Have those who wait for what is under way wait no longer."""
        self._hurried.set()

    async def finish(self) -> None:
        """Return when nothing is under way, after the longest timeout of what was, or when told to hurry."""
        hurried = asyncio.ensure_future(self._hurried.wait())
        loop = asyncio.get_running_loop()
        until = loop.time() + (self.under_way() or 0.0)
        while self._running and loop.time() < until and not hurried.done():
            await asyncio.wait(
                [*self._running, hurried], timeout=until - loop.time(), return_when=asyncio.FIRST_COMPLETED
            )
        hurried.cancel()

    async def close(self) -> None:
        """Let what is under way finish, and drop the rest."""
        await self.finish()
        self._dropped += len(self._queue)
        self._queue.clear()
        last = list(self._running)
        for task in last:
            task.cancel()
        await asyncio.gather(*last, return_exceptions=True)
        self._tell_dropped()

    def _next(self) -> None:
        while self._queue and len(self._running) < _AT_ONCE:
            self._begin(*self._queue.popleft())
        if not self._queue:
            self._tell_dropped()

    def _begin(self, hook: Hook, event: Mapping[str, Any]) -> None:
        task = asyncio.get_running_loop().create_task(self._run(hook, event))
        self._running[task] = hook.timeout
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._next()

    def _tell_dropped(self) -> None:
        if self._dropped:
            self._note(None, "hook", f"{self._dropped} events were dropped: hooks are slower than what happens")
            self._dropped = 0

    async def _run(self, hook: Hook, event: Mapping[str, Any]) -> None:
        try:
            code = await program.run(
                hook.argv,
                cwd=hook.cwd,
                env=dict(hook.env),
                stdin=f"{json.dumps(event)}\n".encode(),
                timeout=hook.timeout,
                grace=min(_LONGEST_GRACE, hook.timeout / 5),
                linger=True,
                spared=self._spared,
            )
        except OSError as error:
            trouble = error.strerror or "cannot be started"
        else:
            if code == 0:
                return
            trouble = f"still alive after its timeout of {hook.timeout:g} s" if code is None else _ending(code)
        self._note(event["unit"], "hook", f"{hook.argv[0]}, told of {event['what']}: {trouble}")


def _ending(code: int) -> str:
    return _NOT_EXECUTABLE.get(code) or ending(code)
