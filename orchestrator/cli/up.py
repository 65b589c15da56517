"""`hftstack up`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import arguments, target, terminal
from orchestrator.cli.stackfile import load, summary
from orchestrator.cli.verb import Verb
from orchestrator.errors import NotReachedError
from orchestrator.observe import logs
from orchestrator.observe.climb import Climb
from orchestrator.observe.failure import explain
from orchestrator.observe.status import unverified
from orchestrator.observe.table import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.build import BuildRequest, BuildResult
    from orchestrator.deployment.model import Deployment

_LAST_LINES = 10
_RED = 31


@click.command("up", cls=Verb, examples=("hftstack up stacks/prod.yaml",))
@arguments.stack_file
@click.option("--foreground", is_flag=True, help="Supervise from this process, for systemd and containers.")
@click.option("--no-build", is_flag=True, help="Use the binaries of an earlier build.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Wait no longer.")
def command(file: Path, *, foreground: bool, no_build: bool, timeout: float | None) -> int:
    """Start a stack, or change a running one to what its file says.

    Validates, builds with cargo, starts in the order of the dependencies, and returns when every unit is ready. On a
    running stack only what differs is touched. Exits 5 when a unit did not reach its target; what runs is left running.
    Ctrl-C stops what this `up` started.
    """
    from orchestrator.engine import ascent, preparation  # noqa: PLC0415 - 200 ms that help and completion need not pay

    begun = time.monotonic()
    stack = load(file, os.environ)
    home = preparation.claim(stack, target.home())
    click.echo(f"{stack.name}  {stack.network}  {summary(stack)}")
    prepared = preparation.prepare(stack, home, environ=os.environ, build=None if no_build else _build)
    for warning in prepared.warnings:
        terminal.say(f"warning: {warning}")
    if foreground:
        ascent.stay(prepared, environ=os.environ)
    watch = _Watch(prepared.deployment)
    try:
        result = ascent.up(
            prepared, environ=os.environ, timeout=timeout, heard=watch.hear, interrupted=watch.interrupted
        )
    finally:
        watch.line.erase()
    return _tell(prepared.deployment, result, watch.climbed, time.monotonic() - begun)


def _build(request: BuildRequest) -> BuildResult:
    from orchestrator.cli import building  # noqa: PLC0415 - 200 ms that help and completion need not pay

    result = building.ensure(request)
    click.echo(building.line(result))
    return result


class _Watch:
    """An `up` as it is watched from the terminal."""

    def __init__(self, deployment: Deployment) -> None:
        self._climb = Climb(deployment)
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
            click.echo(line)
        if remark is not None:
            terminal.say(remark)
        self.line.draw(self._climb.waiting())

    def interrupted(self) -> None:
        """Say what happens after Ctrl-C."""
        self.line.erase()
        terminal.say("interrupted: stopping what this `up` started (Ctrl-C again does not wait for it)")


def _tell(deployment: Deployment, result: dict[str, Any], climbed: tuple[str, ...], seconds: float) -> int:
    for warning in unverified(result["units"]):
        terminal.say(f"warning: {warning}")
    if result["reached"]:
        click.echo(f"{_done(result['change'], climbed, seconds)}.  hftstack status | logs -f | down")
        return 0
    units = {unit["name"]: unit for unit in result["units"]}
    blamed = [name for name in result["blocked"] if units[name]["state"] != "waiting"] or result["blocked"]
    for name in blamed:
        unit = units[name]
        words = logs.last_words(Path(unit["log"]), _LAST_LINES) if unit["log"] else []
        head, *rest = explain(unit, deployment.unit(name), words, stack=deployment.stack)
        terminal.say("\n".join([terminal.paint(head, _RED, sys.stderr), *rest]))
    waiting = [name for name in result["blocked"] if name not in blamed]
    if waiting:
        terminal.say(f"still waiting: {', '.join(waiting)}")
    running = [unit["name"] for unit in result["units"] if unit["pid"] is not None]
    left = f"left running: {', '.join(running)}" if running else "nothing runs"
    terminal.say(f"{deployment.stack} is not up after {duration(seconds)}; {left}.  hftstack status | logs | down")
    return NotReachedError.exit_code


def _done(change: dict[str, Any], climbed: tuple[str, ...], seconds: float) -> str:
    """Return what an `up` did: all of it, a part of it on a running stack, or nothing."""
    told = {*change["added"], *change["restarted"]}
    parts = [
        _named("added", change["added"]),
        _named("removed", change["removed"]),
        _named("restarted", [f"{name} ({', '.join(why)})" for name, why in change["restarted"].items()]),
        _named("changed in place", [f"{name} ({', '.join(why)})" for name, why in change["adopted"].items()]),
        _named("started", [name for name in climbed if name not in told]),
    ]
    if not any(parts):
        return f"nothing to change, {duration(seconds)}"
    if change["added"] and not any((*parts[1:], change["kept"])):
        return f"up in {duration(seconds)}"
    return f"up in {duration(seconds)}: {'; '.join(filter(None, parts))}"


def _named(what: str, names: Sequence[str]) -> str:
    return f"{what} {', '.join(names)}" if names else ""
