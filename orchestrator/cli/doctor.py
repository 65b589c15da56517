"""`hftstack doctor`."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from orchestrator.cli import arguments, target, terminal
from orchestrator.cli.verb import Verb
from orchestrator.errors import NotReachedError, RefusedError, UsageError

if TYPE_CHECKING:
    from orchestrator.doctor.checks import Check
    from orchestrator.doctor.finding import Case, Finding
    from orchestrator.doctor.remains import Remains

_COLOURS: Final = {"ok": 32, "warning": 33, "bad": 31}


@click.command(
    "doctor",
    cls=Verb,
    examples=(
        "hftstack doctor",
        "hftstack doctor stacks/prod.yaml",
        "hftstack doctor prod --format json",
        "hftstack doctor prod --repair",
    ),
)
@arguments.stack
@click.option("--repair", is_flag=True, help="Remove what dead connectors of the stack left; shows it first.")
@click.option("-y", "--yes", is_flag=True, help="With --repair: do not ask.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(stack: str | None, form: str, *, repair: bool, yes: bool) -> int:
    """Check this machine and the channels for a stack: a verdict for each thing, and a cure where it is not well.

    Room in /dev/shm and on the disk, who owns which channel, what a logout or a cleaner of /tmp would delete, the
    clock, pinned cores, priorities and limits, the tools to build with. STACK is a file or a name; nothing need run,
    and nothing is changed. Without any stack, the machine alone is looked at.

    --repair removes only files that no process has open, mapped or locked, only of connectors that STACK names and that
    nobody keeps up; a live channel is left alone. It asks on a terminal, and elsewhere wants --yes.

    Exits 5 when something is bad: a start would fail or harm, or is left to repair. Warnings leave the exit code alone.
    """
    case = _case(stack)
    if repair:
        return _repair(case, ask=not yes)
    from orchestrator.doctor.checks import examine  # noqa: PLC0415 - 200 ms that help and completion need not pay
    from orchestrator.doctor.finding import Verdict  # noqa: PLC0415

    found: list[tuple[Check, Finding]] = []
    for check, finding in examine(case):
        found.append((check, finding))
        if form == "text":
            _print(check, finding)
    well = all(finding.verdict is not Verdict.BAD for _, finding in found)
    if form == "json":
        click.echo(json.dumps(_plain(case, found, well=well)))
    else:
        click.echo(_summary([finding.verdict.value for _, finding in found]))
    return 0 if well else NotReachedError.exit_code


def _case(wanted: str | None) -> Case:
    """Return what is to be judged: the stack of a file, else the one that is deployed, else the machine alone."""
    from orchestrator import venue  # noqa: PLC0415 - 200 ms that help and completion need not pay
    from orchestrator.deployment.model import Deployment  # noqa: PLC0415
    from orchestrator.doctor.finding import Case, sharing  # noqa: PLC0415
    from orchestrator.doctor.sketch import sketch  # noqa: PLC0415
    from orchestrator.observe.unsupervised import living  # noqa: PLC0415
    from orchestrator.resolve import build_request, vault  # noqa: PLC0415
    from orchestrator.supervise import lock  # noqa: PLC0415

    try:
        file = target.file(wanted)
    except UsageError:
        if target.named(wanted) is not None:
            raise
        return Case(Deployment("", "", "", ()), None, os.environ)
    stack = venue.load(file, os.environ)
    home = target.home().stack(stack.name)
    return Case(
        sketch(stack),
        home,
        os.environ,
        running=living(home),
        supervisor=lock.holder(home.lock),
        build=build_request(stack, home=home),
        secrets={name: stack.secrets[name] for name in vault.needed(stack)},
        remarks=stack.warnings,
        sharing=sharing(stack),
    )


def _print(check: Check, finding: Finding) -> None:
    verdict = terminal.paint(f"{finding.verdict.value:<7}", _COLOURS[finding.verdict.value], sys.stdout)
    where = f"{finding.where}: " if finding.where else ""
    click.echo(f"{verdict}  {check.name:<15}  {where}{finding.message}")
    if finding.cure:
        click.echo(f"{'':26}{finding.cure}")


def _summary(verdicts: list[str]) -> str:
    counts = [(verdicts.count("bad"), "bad"), (verdicts.count("warning"), "warnings")]
    told = ", ".join(f"{count} {what.removesuffix('s') if count == 1 else what}" for count, what in counts if count)
    return told or "all is well"


def _plain(case: Case, found: list[tuple[Check, Finding]], *, well: bool) -> dict[str, Any]:
    return {
        "stack": case.deployment.stack or None,
        "file": case.deployment.file or None,
        "well": well,
        "findings": [
            {
                "check": check.name,
                "unit": finding.where,
                "verdict": finding.verdict.value,
                "message": finding.message,
                "cure": finding.cure,
            }
            for check, finding in found
        ],
    }


def _repair(case: Case, *, ask: bool) -> int:
    from orchestrator.doctor import remains  # noqa: PLC0415 - for --repair only

    if case.home is None:
        raise UsageError("--repair is for the channels of a stack", hint="name its file: hftstack doctor FILE --repair")
    try:
        found = remains.find(case, _tended(case))
    except OSError as error:
        raise RefusedError(f"cannot look at the remains: {error}", hint="run it as the user of the stack") from None
    _say_left_alone(case)
    if not found:
        click.echo("nothing to repair: no remains that nobody uses")
        return 0
    for each in found:
        for path in each.paths:
            click.echo(f"{each.unit}  {path}")
    size = sum(each.size for each in found)
    count = sum(len(each.paths) for each in found)
    if ask and not _agreed(f"remove these {count} files, {size / 1e6:.1f} MB?"):
        terminal.say("nothing was removed: --yes removes them")
        return NotReachedError.exit_code
    return _remove(found)


def _remove(found: tuple[Remains, ...]) -> int:
    from orchestrator.doctor import remains  # noqa: PLC0415 - for --repair only

    code = 0
    for each in found:
        removed = remains.remove(each)
        if removed:
            click.echo(f"{each.unit}  removed {len(removed)} files")
        else:
            terminal.say(f"{each.unit}: left alone, somebody uses it by now")
            code = NotReachedError.exit_code
    return code


def _agreed(question: str) -> bool:
    return sys.stdin.isatty() and click.confirm(question, err=True)


def _tended(case: Case) -> set[str]:
    """Return the units that a supervisor keeps up: it removes their remains itself before a start, when that fails."""
    from orchestrator.supervise import records  # noqa: PLC0415 - for --repair only
    from orchestrator.supervise.records import Intent  # noqa: PLC0415

    if case.supervisor is None or case.home is None:
        return set()
    intents = records.read_intents(case.home.intent).units
    return {name for name, unit in intents.items() if unit.intent is Intent.UP}


def _say_left_alone(case: Case) -> None:
    for name in sorted(_tended(case) - case.running.keys()):
        terminal.say(f"{name}: left alone, its supervisor is starting it; hftstack stop {name} first")
