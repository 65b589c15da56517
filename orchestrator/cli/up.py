"""`hftstack up`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import building, target, terminal
from orchestrator.cli.stackfile import load, summary
from orchestrator.cli.verb import Verb
from orchestrator.control import messages
from orchestrator.control.client import NotSupervisedError
from orchestrator.deployment import codec
from orchestrator.errors import HftstackError, InterruptedByUserError, NotReachedError, RefusedError
from orchestrator.observe import logs, selection
from orchestrator.observe.climb import Climb
from orchestrator.observe.failure import explain
from orchestrator.observe.table import duration
from orchestrator.observe.unsupervised import living
from orchestrator.resolve import build_request, resolve, reuse
from orchestrator.resolve.preflight import check
from orchestrator.supervise import lock, records
from orchestrator.supervise.launch import become, launch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.build import BuildResult
    from orchestrator.control.client import Client
    from orchestrator.deployment.homes import StackHome
    from orchestrator.deployment.model import Deployment
    from orchestrator.stack.model import Stack

_LAST_LINES = 10
_RED = 31


@click.command("up", cls=Verb, examples=("hftstack up stacks/prod.yaml",))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--foreground", is_flag=True, help="Supervise from this process, for systemd and containers.")
@click.option("--no-build", is_flag=True, help="Use the binaries of an earlier build.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Wait no longer.")
def command(file: Path, *, foreground: bool, no_build: bool, timeout: float | None) -> int:
    """Start a stack, or change a running one to what its file says.

    Validates, builds with cargo, starts in the order of the dependencies, and returns when every unit is ready. On a
    running stack only what differs is touched. Exits 5 when a unit did not reach its target; what runs is left running.
    Ctrl-C stops what this `up` started.
    """
    begun = time.monotonic()
    stack = load(file, os.environ)
    home = target.home().stack(stack.name)
    _refuse_other_file(stack, home)
    home.prepare()
    click.echo(f"{stack.name}  {stack.network}  {summary(stack)}")
    binaries = _binaries(stack, home, no_build=no_build)
    resolution = resolve(stack, home=home, binaries=binaries, environ=os.environ)
    warnings = _preflight(resolution.deployment, home)
    for warning in (*resolution.warnings, *warnings):
        terminal.say(f"warning: {warning}")
    if foreground:
        _stay(home, resolution.deployment)
    client = target.connect(home, timeout=30.0)
    if client is None:
        launch(home, os.environ, hold=True)
        client = target.connect(home, timeout=30.0)
    if client is None:
        raise HftstackError("the supervisor left at once", where=str(home.supervisor_log))
    if not _is_rendered(resolution.deployment):
        # a supervisor that was leaving took the configs with it
        home.prepare()
        resolution = resolve(stack, home=home, binaries=binaries, environ=os.environ)
    with client:
        ascent = _Ascent(client, resolution.deployment)
        result = ascent.run(timeout)
    return _tell(resolution.deployment, result, ascent.climbed, time.monotonic() - begun)


def _refuse_other_file(stack: Stack, home: StackHome) -> None:
    deployed = selection.deployed_file(home)
    if deployed is not None and deployed != str(stack.file) and (lock.holder(home.lock) is not None or living(home)):
        raise RefusedError(
            f"a stack named {stack.name} is running from {deployed}",
            where=str(stack.file),
            hint="give this one another `name:`, or stop that one first",
        )


def _preflight(deployment: Deployment, home: StackHome) -> tuple[str, ...]:
    """Return the warnings for this machine. A unit that is restarted meanwhile is no stranger on its own channel."""
    running = living(home)
    while True:
        try:
            return check(deployment, home, running)
        except RefusedError:
            before, running = running, living(home)
            if before == running:
                raise


def _is_rendered(deployment: Deployment) -> bool:
    return all(Path(file.path).exists() for spec in deployment.units for file in spec.files)


def _binaries(stack: Stack, home: StackHome, *, no_build: bool) -> BuildResult | None:
    if no_build:
        return reuse(stack, home=home)
    request = build_request(stack, home=home)
    if request is None:
        return None
    result = building.ensure(request)
    click.echo(building.line(result))
    return result


def _stay(home: StackHome, deployment: Deployment) -> None:
    pid = lock.holder(home.lock)
    if pid is not None:
        raise RefusedError(
            f"{home.name} is supervised already, by pid {pid}", hint="`hftstack up` without --foreground changes it"
        )
    path = home.runtime / "bring.json"
    records.replace_file(path, codec.encode(deployment), durable=False)
    become(home, os.environ, path)


class _Ascent:
    """One `apply` as it is watched from the terminal."""

    def __init__(self, client: Client, deployment: Deployment) -> None:
        self._client = client
        self._deployment = deployment
        self._climb = Climb(deployment)
        self._line = terminal.LiveLine()

    def run(self, timeout: float | None) -> dict[str, Any]:
        """Return the result of `apply`. Raises what the supervisor raised, InterruptedByUserError after Ctrl-C."""
        params = {"deployment": codec.plain(self._deployment), "timeout": timeout}
        identifier = self._client.send("apply", params)
        try:
            return self._listen(identifier)
        except KeyboardInterrupt:
            self._line.erase()
            terminal.say("interrupted: stopping what this `up` started (Ctrl-C again does not wait for it)")
            stopped = ", ".join(self._client.call("abort", patient=True)["stopped"]) or "nothing"
            raise InterruptedByUserError(f"stopped what this `up` had started: {stopped}") from None
        finally:
            self._line.erase()

    @property
    def climbed(self) -> tuple[str, ...]:
        """The units that were seen to come up."""
        return self._climb.climbed

    def _listen(self, identifier: int) -> dict[str, Any]:
        for message in self._client.messages(patient=True):
            if message.get("id") == identifier:
                if "error" in message:
                    raise messages.raised(message["error"])
                result: dict[str, Any] = message["result"]
                return result
            if message.get("method") == "event":
                line, remark = self._climb.hear(message["params"])
                self._line.erase()
                if line is not None:
                    click.echo(line)
                if remark is not None:
                    terminal.say(remark)
                self._line.draw(self._climb.waiting())
        raise NotSupervisedError("the supervisor went away", hint="run `hftstack up` again: it takes the units over")


def _tell(deployment: Deployment, result: dict[str, Any], climbed: tuple[str, ...], seconds: float) -> int:
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
