"""`hftstack init`."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli import terminal
from orchestrator.cli.verb import Verb
from orchestrator.errors import RefusedError, UsageError
from orchestrator.observe.stackfiles import FOLDER

if TYPE_CHECKING:
    from orchestrator.venue.template import FirstBot, FirstConnector, FirstStack

_NETWORKS = ("testnet", "demo", "local", "mainnet")


@click.command(
    "init",
    cls=Verb,
    examples=(
        "hftstack init",
        "hftstack init stacks/try.yaml --connector a:sim --bot watcher:sim",
        "hftstack init --name prod --connector bf:binancefutures --source ../hbt",
    ),
)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--name", help="The stack's name. Without it: the file's stem.")
@click.option("--network", type=click.Choice(_NETWORKS), help="Without it: local for simulators alone, else testnet.")
@click.option("--connector", "connectors", multiple=True, metavar="NAME:TYPE", help="May be given again.")
@click.option("--bot", "bots", multiple=True, metavar="NAME:COMMAND", help="On all connectors; sim is the simulator's.")
@click.option("--source", metavar="PATH", help="The cargo workspace with the connector.")
def command(
    file: Path | None,
    *,
    name: str | None,
    network: str | None,
    connectors: tuple[str, ...],
    bots: tuple[str, ...],
    source: str | None,
) -> None:
    """Write a first stack file, complete and commented: stacks/NAME.yaml, or FILE.

    TYPE is binancefutures, binancespot, bybit or sim. On a terminal, what is not given is asked for. A file that is
    there is never touched (exit 7). The result is valid at once: keys are references to variables, and without them
    the connectors have market data only.
    """
    from orchestrator.printable import printable  # noqa: PLC0415 - likewise
    from orchestrator.venue import template  # noqa: PLC0415 - pydantic is not help's business

    if not connectors:
        connectors, bots, network = _ask(network, bots)
    chosen = tuple(map(_connector, connectors))
    network = network or ("local" if all(connector.type == "sim" for connector in chosen) else "testnet")
    name = name or (file.stem if file is not None else network)
    file = Path(FOLDER, f"{name}.yaml") if file is None else file
    place = None if source is None else os.path.relpath(source, file.parent)
    first = template.FirstStack(name, network, chosen, tuple(_bot(bot, file.parent) for bot in bots), place)
    _check(first)
    _write(file, template.render(first, printable(shlex.quote(str(file)))))
    click.echo(f"wrote {file}: {_summary(first)}")
    if unset := [variable for variable in template.variables(chosen) if not os.environ.get(variable)]:
        terminal.say(f"market data only until these are set: {', '.join(unset)}")
    terminal.say(f"now: hftstack up {shlex.quote(str(file))}")


def _ask(network: str | None, bots: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """Return connectors, bots and network as a person at the terminal says."""
    from orchestrator.venue.template import TYPES  # noqa: PLC0415 - likewise

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("which connectors?", hint=f"--connector NAME:TYPE, with TYPE one of {', '.join(TYPES)}")
    network = network or click.prompt("Network", type=click.Choice(_NETWORKS), default="testnet")
    connectors: list[str] = []
    while not connectors or click.confirm("Another connector?"):
        kind = click.prompt("Connector type", type=click.Choice(TYPES), default="sim" if network == "local" else None)
        name = click.prompt("Its name", default=kind if not connectors else f"{kind}{len(connectors) + 1}")
        connectors.append(f"{name}:{kind}")
    if not bots and click.confirm("A bot on them?", default=True):
        name = click.prompt("Its name", default="mm")
        bots = (f"{name}:{click.prompt('Its command', default='python3 bots/mm.py')}",)
    return tuple(connectors), bots, network


def _connector(text: str) -> FirstConnector:
    from orchestrator.venue.template import TYPES, FirstConnector  # noqa: PLC0415 - likewise

    name, separator, kind = text.partition(":")
    kinds = f"TYPE is one of {', '.join(TYPES)}"
    if not separator:
        raise UsageError(f"--connector {text}: not NAME:TYPE", hint=kinds)
    if kind not in TYPES:
        import difflib  # noqa: PLC0415 - for a mistyped type only

        near = difflib.get_close_matches(kind, TYPES, n=1)
        hint = f"did you mean {near[0]}? {kinds}" if near else kinds
        raise UsageError(f"--connector {text}: there is no connector type {kind or 'without a name'}", hint=hint)
    return FirstConnector(name, kind)


def _bot(text: str, folder: Path) -> FirstBot:
    """Return a bot that runs in the folder of this command where its command names a file from there."""
    from orchestrator.venue.template import FirstBot  # noqa: PLC0415 - likewise

    name, _, line = text.partition(":")
    try:
        argv = tuple(shlex.split(line))
    except ValueError:
        argv = ()
    if not argv:
        raise UsageError(f"--bot {text}: not NAME:COMMAND", hint="such as --bot 'mm:python3 bots/mm.py'")
    if argv == ("sim",):
        return FirstBot(name, ())
    here = os.path.relpath(Path(), folder)
    named = any(not word.startswith((os.sep, "-")) and (os.sep in word or Path(word).is_file()) for word in argv)
    return FirstBot(name, argv, here if named and here != os.curdir else None)


def _check(first: FirstStack) -> None:
    from orchestrator.stack.scalars import is_name  # noqa: PLC0415 - likewise
    from orchestrator.venue.template import has_host  # noqa: PLC0415 - likewise

    names = [connector.name for connector in first.connectors] + [bot.name for bot in first.bots]
    for name in (first.name, *names):
        if not is_name(name):
            hint = "at most 64 letters, digits, '_', '.' and '-', with a letter or digit first"
            raise UsageError(f"{name!r} is not a name", hint=hint)
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two units are named {name}", hint="give each its own name")
    for connector in first.connectors:
        if not has_host(connector.type, first.network):
            raise UsageError(
                f"{connector.type} has no exchange on network {first.network}",
                hint="use testnet, or a connector of type sim",
            )


def _write(file: Path, text: str) -> None:
    """Write a file that is not there yet, whole and valid, or not at all."""
    from orchestrator import venue  # noqa: PLC0415 - likewise

    if os.path.lexists(file):
        raise _there(file)
    temporary = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=file.parent, prefix=f".{file.stem}.", suffix=".yaml", delete=False
        ) as stream:
            temporary = Path(stream.name)
            stream.write(text)
        venue.load(temporary, {})
        temporary.chmod(0o644)
        os.link(temporary, file)
    except OSError as error:
        if os.path.lexists(file):
            raise _there(file) from None
        raise RefusedError(f"cannot write it: {error.strerror}", where=str(file)) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _there(file: Path) -> RefusedError:
    return RefusedError("this file is there already, and is not touched", where=str(file), hint="name another FILE")


def _summary(first: FirstStack) -> str:
    counts = ((len(first.connectors), "connector"), (len(first.bots), "bot"))
    return ", ".join(
        [first.network, *(f"{count} {noun}{'s' if count != 1 else ''}" for count, noun in counts if count)]
    )
