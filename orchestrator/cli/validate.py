"""`hftstack validate`."""

from __future__ import annotations

import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator import venue
from orchestrator.cli import arguments, target
from orchestrator.cli.stackfile import load, summary
from orchestrator.cli.verb import Verb
from orchestrator.errors import StackError, UsageError
from orchestrator.observe import diagnostics, stackfiles
from orchestrator.venue import ruleset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.errors import Diagnostic

_FORMATS = ("text", "json", "sarif", "github")


@click.command(
    "validate",
    cls=Verb,
    examples=("hftstack validate stacks/prod.yaml", "hftstack validate stacks/*.yaml --format sarif > stacks.sarif"),
)
@click.argument("names", nargs=-1, metavar="[FILE]...", shell_complete=arguments.complete_file)
@click.option("--format", "form", type=click.Choice(_FORMATS), default="text", show_default=True)
@click.option("--all", "everything", is_flag=True, help="Each stack file in ./stacks.")
@click.option(
    "--anywhere", is_flag=True, help="Where the variables are not set: a ${VAR} without a default is its name."
)
def command(names: tuple[str, ...], form: str, *, everything: bool, anywhere: bool) -> int:
    """Check stack files and the files they name. Nothing is started; no machine is needed.

    Every mistake is told at once, with file:line:column and what to write instead. Exits 3 when there is one; warnings
    leave the exit code alone. sarif is for code scanning (SARIF 2.1.0), github for annotations of a pull request.
    With --anywhere, for CI, what a variable without a default holds is not judged, unless it has to be a duration, a
    size or the like: then it needs a value.
    """
    files = _files(names, everything=everything)
    if form != "text":
        return _report(files, form, anywhere=anywhere)
    found: list[Diagnostic] = []
    for file in files:
        try:
            stack = load(file, os.environ, anywhere=anywhere)
        except StackError as error:
            found.extend(error.diagnostics)
        else:
            click.echo(f"{file}: {stack.name} is valid: {stack.network}, {summary(stack)}")
    if found:
        raise StackError(list(dict.fromkeys(found)))
    return 0


def _files(names: tuple[str, ...], *, everything: bool) -> Sequence[Path]:
    if not everything:
        return [target.file(name) for name in names or (None,)]
    if names:
        raise UsageError("--all takes no files", hint="name files, or leave them out")
    return stackfiles.nearby(Path())


def _report(files: Sequence[Path], form: str, *, anywhere: bool) -> int:
    found = list(dict.fromkeys(diagnostic for file in files for diagnostic in _found(file, anywhere=anywhere)))
    if form == "github":
        click.echo(diagnostics.as_github(found), nl=False)
    elif form == "sarif":
        log = diagnostics.as_sarif(found, version=version("hftstack"), titles=ruleset.titles())
        click.echo(json.dumps(log, indent=2))
    else:
        click.echo(json.dumps(diagnostics.as_json([str(file) for file in files], found), indent=2))
    return 0 if diagnostics.is_valid(found) else StackError.exit_code


def _found(file: Path, *, anywhere: bool) -> tuple[Diagnostic, ...]:
    try:
        stack = (venue.load_anywhere if anywhere else venue.load)(file, os.environ)
    except StackError as error:
        return error.diagnostics
    return (*stack.warnings, *stack.ignored)
