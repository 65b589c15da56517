"""Units that are being started, as it is watched from the terminal, and why some did not get there."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import click

from orchestrator.cli import terminal
from orchestrator.errors import NotReachedError
from orchestrator.observe.climb import Climb
from orchestrator.observe.table import cut, duration

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from orchestrator.deployment.model import UnitSpec

_RED: Final = 31


class Watch:
    """Writes a line for each unit that got there; what the others wait for is drawn over."""

    def __init__(self, verb: str, specs: Iterable[UnitSpec], up: Collection[str] = ()) -> None:
        """`verb` is what goes on, `up` the units that are there already."""
        self._verb = verb
        self._climb = Climb(specs, up)
        self.line = terminal.LiveLine()

    @property
    def climbed(self) -> tuple[str, ...]:
        """The units that were seen to come up."""
        return self._climb.climbed

    def hear(self, event: dict[str, Any]) -> None:
        """Take an event of the supervisor."""
        line, remark = self._climb.hear(event)
        self.line.erase()
        if line is not None:
            click.echo(cut(line, terminal.width(sys.stdout)))
        if remark is not None:
            terminal.say(remark)
        self.line.draw(self._climb.waiting())

    def interrupted(self) -> None:
        """Say what happens after Ctrl-C."""
        self.line.erase()
        terminal.say(f"interrupted: stopping what this `{self._verb}` started (Ctrl-C again does not wait for it)")


def unreached(
    result: Mapping[str, Any], specs: Mapping[str, UnitSpec], stack: str, not_done: str, *, timeout: float | None
) -> int:
    """Say why units did not reach their target, and that they did `not_done`; returns the exit code for it."""
    blame(result, specs, stack, timeout=timeout)
    terminal.say(f"{not_done}: {', '.join(result['blocked'])}.  hftstack status | logs")
    return NotReachedError.exit_code


def blame(
    result: Mapping[str, Any], specs: Mapping[str, UnitSpec], stack: str, *, timeout: float | None = None
) -> None:
    """Say of each unit that did not reach its target why; of those that only wait for another one, that they do.

    `timeout` is what was given on the command line, in seconds: of those that it cut short, that they are on their way.
    """
    from orchestrator.observe.failure import coming, explanations  # noqa: PLC0415 - for what did not come up only

    told, waiting = explanations(result, specs, stack)
    for head, *rest in told:
        terminal.say("\n".join([terminal.paint(head, _RED, sys.stderr), *rest]))
    if waiting:
        terminal.say(f"still waiting: {', '.join(waiting)}")
    if timeout is None:
        return
    units = {unit["name"]: unit for unit in result["units"]}
    for name in coming(result):
        state, target = units[name]["state"], units[name]["target"]
        terminal.say(f"{name}: {target} not reached within --timeout {duration(timeout)}: {state}, still on its way")
