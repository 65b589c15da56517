"""`hftstack probe`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from orchestrator.channel.location import Location, locate_own
from orchestrator.channel.nodes import scan_nodes
from orchestrator.channel.probe import Probe
from orchestrator.channel.verdict import Verdict
from orchestrator.cli import arguments, target, terminal
from orchestrator.cli.verb import Verb
from orchestrator.errors import NotReachedError
from orchestrator.observe.table import render
from orchestrator.supervise import records
from orchestrator.supervise.process import command_line

_HEAD = ("CHANNEL", "VERDICT", "OWNER", "ICEORYX2", "BOTS")
_EXPENDABLE = tuple(map(_HEAD.index, ("ICEORYX2", "OWNER")))


@click.command("probe", cls=Verb, examples=("hftstack probe", "hftstack probe --channel bf"))
@arguments.stack
@click.option("--channel", "names", multiple=True, metavar="NAME", help="A channel by name, of no stack or any.")
@click.option(
    "--cwd",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    default=Path(),
    help="With --channel: the directory whose iceoryx2 configuration counts.",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(stack: str | None, names: tuple[str, ...], cwd: Path, *, form: str) -> int:
    """Look at channels from outside: owner, version, bots attached, messages written and waiting.

    Reads files only; opens no iceoryx2 service and takes no bot's place. Exits 0 when every channel is live, else 5.
    """
    wanted, names_of = _wanted(stack, names, cwd)
    found = [_look(name, location, pid) for name, location, pid in wanted]
    if form == "json":
        click.echo(json.dumps(found))
    else:
        rows = [_HEAD, *(_row(channel, names_of) for channel in found)]
        for line in render(rows, terminal.width(sys.stdout), _EXPENDABLE):
            click.echo(line)
    live = found and all(channel["verdict"] == Verdict.LIVE.value for channel in found)
    return 0 if live else NotReachedError.exit_code


def _wanted(
    stack: str | None, names: tuple[str, ...], cwd: Path
) -> tuple[list[tuple[str, Location, int | None]], dict[int, str]]:
    """Return each channel with the pid that should own it, and the stack's units by pid."""
    if names:
        location = locate_own(cwd.absolute())
        return [(name, location, None) for name in names], {}
    home = target.find(stack)
    deployment = records.read_deployment(home.deployment)
    from orchestrator.observe.unsupervised import living  # noqa: PLC0415 - only where a stack is meant

    pids = living(home)
    wanted = [
        (unit.name, Location(unit.channel.root, unit.channel.prefix), pids.get(unit.name))
        for unit in (() if deployment is None else deployment.units)
        if unit.channel is not None
    ]
    return wanted, {pid: name for name, pid in pids.items()}


def _look(name: str, location: Location, pid: int | None) -> dict[str, Any]:
    probe = Probe(location, name)
    nodes = scan_nodes(location)
    reading = probe.scan(nodes, pid=pid)
    if pid is None and reading.verdict is Verdict.FOREIGN and reading.owner is not None:
        reading = probe.scan(nodes, pid=reading.owner)
    probe.close()
    return {
        "channel": name,
        "verdict": reading.verdict.value,
        "owner": reading.owner,
        "iceoryx2": None if reading.version is None else ".".join(map(str, reading.version)),
        "bots": [
            {"pid": bot, "written": written, "lag": lag, "command": command_line(bot)}
            for bot, written, lag in (
                *((link.pid, link.written, link.lag) for link in reading.bots),
                *((user, None, None) for user in reading.users or ()),
            )
        ],
        "detail": reading.detail,
    }


def _row(channel: dict[str, Any], units: dict[int, str]) -> tuple[str, ...]:
    bots = ", ".join(_bot(bot, units) for bot in channel["bots"])
    if bots and channel["verdict"] == Verdict.UNVERIFIED.value:
        bots = f"{channel['detail']}: {bots}"
    return (
        channel["channel"],
        channel["verdict"],
        "-" if channel["owner"] is None else str(channel["owner"]),
        channel["iceoryx2"] or "-",
        bots or channel["detail"] or "-",
    )


def _bot(bot: dict[str, Any], units: dict[int, str]) -> str:
    who = f"{units.get(bot['pid'], 'pid')} {bot['pid']}"
    return who if bot["written"] is None else f"{who}: {bot['written']} written, lag {bot['lag']}"
