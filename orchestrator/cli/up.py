"""`hftstack up`."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import arguments, climbing, target, terminal, times
from orchestrator.cli.stackfile import check_units, load, summary
from orchestrator.cli.verb import Verb
from orchestrator.errors import NotReachedError, UsageError
from orchestrator.observe.status import unverified
from orchestrator.observe.table import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestrator.build import BuildRequest, BuildResult
    from orchestrator.deployment.model import Deployment, UnitSpec
    from orchestrator.deployment.plan import Plan


@click.command("up", cls=Verb, examples=("hftstack up stacks/prod.yaml", "hftstack up stacks/prod.yaml bf"))
@arguments.file_and_units
@arguments.stack_option
@click.option("--foreground", is_flag=True, help="Supervise from this process, for systemd and containers.")
@click.option("--take-over", is_flag=True, help="With --foreground: take units over as they are, running or left.")
@click.option("--no-build", is_flag=True, help="Use the binaries of an earlier build.")
@click.option("--until-logout", is_flag=True, help="The channels may go with this user's logout.")
@click.option("--locked", is_flag=True, help="Refuse what differs from the lock file, before anything is touched.")
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Do exactly what this plan says, or refuse.",
)
@times.timeout
def command(
    names: tuple[str, ...],
    stack: str | None,
    *,
    foreground: bool,
    take_over: bool,
    no_build: bool,
    until_logout: bool,
    locked: bool,
    plan_file: Path | None,
    timeout: float | None,
) -> int:
    """Start a stack, or change a running one to what its file says.

    Validates, builds with cargo, starts in the order of the dependencies, and returns when every unit is ready. On a
    running stack only what differs is touched. With units, only those and what they need are brought in and
    started, and their secrets alone are read. Exits 5 when a unit did not reach its target; what runs is left running.
    Ctrl-C stops what this `up` started.
    """
    from orchestrator.engine import preparation  # noqa: PLC0415 - 200 ms that help and completion need not pay

    begun = time.monotonic()
    planned, reviewed = (None, None) if plan_file is None else _planned(plan_file)
    if planned is not None and not names and stack is None:
        names = (planned.file,)
    file, units = arguments.file_of(names, stack)
    if take_over:
        if not foreground:
            raise UsageError("--take-over goes with --foreground", hint="hftstack up takes over what runs, too")
        from orchestrator.engine import ascent  # noqa: PLC0415 - for it only

        ascent.take_over(file, target.home(), environ=os.environ)
    if planned is not None:
        if foreground or units:
            raise UsageError("--plan says which units", hint="leave out units and --foreground")
        units = planned.only
    loaded = load(file, os.environ)
    check_units(loaded, units, named=planned is not None or stack is not None or len(units) < len(names))
    if foreground and units:
        raise UsageError("--foreground supervises the whole stack", hint="name no units with it")
    home = preparation.claim(loaded, target.home(), os.environ)
    click.echo(f"{loaded.name}  {loaded.network}  {summary(loaded)}")
    prepared = preparation.prepare(
        loaded,
        home,
        environ=os.environ,
        build=None if no_build else _build,
        only=units or None,
        until_logout=until_logout,
        locked=locked,
    )
    from orchestrator.engine import ascent  # noqa: PLC0415 - imported while cargo worked

    for warning in prepared.warnings:
        terminal.say(f"warning: {warning}")
    if foreground:
        left = ascent.left_down(prepared) if take_over else ()
        for name in left:
            terminal.say(f"{name} stays down, as it was left.  hftstack start {name}")
        ascent.stay(prepared, environ=os.environ, left=left)
    chosen = _chosen(prepared.deployment, units)
    watch = climbing.Watch("up", chosen)
    try:
        result = ascent.up(
            prepared,
            environ=os.environ,
            only=units or None,
            timeout=timeout,
            reviewed=reviewed,
            heard=watch.hear,
            interrupted=watch.interrupted,
        )
    finally:
        watch.line.erase()
    return _tell(prepared.deployment, result, watch.climbed, time.monotonic() - begun, timeout)


def _planned(file: Path) -> tuple[Plan, Callable[[Plan], None]]:
    """Return a plan that was reviewed, and what refuses another one."""
    from orchestrator.deployment import planfile  # noqa: PLC0415 - for a plan only

    plan = planfile.read(file)
    return plan, partial(planfile.refuse_another, plan, file)


def _chosen(deployment: Deployment, units: Sequence[str]) -> list[UnitSpec]:
    from orchestrator.supervise.graph import needed  # noqa: PLC0415 - imported while cargo worked

    specs = {spec.name: spec for spec in deployment.units}
    names = needed(specs, units) if units else tuple(specs)
    return [specs[name] for name in names]


def _build(request: BuildRequest) -> BuildResult:
    from orchestrator.cli import building  # noqa: PLC0415 - 200 ms that help and completion need not pay

    result = building.ensure(request)
    click.echo(building.line(result))
    return result


def _tell(
    deployment: Deployment, result: dict[str, Any], climbed: tuple[str, ...], seconds: float, timeout: float | None
) -> int:
    for warning in unverified(result["units"]):
        terminal.say(f"warning: {warning}")
    if result["reached"]:
        click.echo(f"{_done(result['change'], climbed, seconds)}.  hftstack status | logs -f | down")
        return 0
    climbing.blame(result, {spec.name: spec for spec in deployment.units}, deployment.stack, timeout=timeout)
    if result["rolled_back"] is not None:
        terminal.say(_rolled_back(deployment.stack, result["rolled_back"], duration(seconds)))
        return NotReachedError.exit_code
    running = [unit["name"] for unit in result["units"] if unit["pid"] is not None]
    left = f"left running: {', '.join(running)}" if running else "nothing runs"
    terminal.say(f"{deployment.stack} is not up after {duration(seconds)}; {left}.  hftstack status | logs | down")
    return NotReachedError.exit_code


def _rolled_back(stack: str, outcome: dict[str, Any], took: str) -> str:
    culprits = ", ".join(outcome["culprits"])
    if outcome["reached"]:
        return f"{stack} is back to what ran before, {took}: {culprits} did not become ready.  hftstack status | logs"
    left = ", ".join(outcome["blocked"])
    return f"{stack} went back to what ran before, {took}, but not ready are: {left}.  hftstack status | logs"


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
