"""`hftstack status`."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import click

from orchestrator.cli import arguments, target, terminal
from orchestrator.cli.verb import Verb
from orchestrator.control.client import NotSupervisedError
from orchestrator.engine import look as engine
from orchestrator.errors import InterruptedByUserError, UsageError
from orchestrator.observe import selection, status
from orchestrator.printable import screened

_EVERY = 1.0
_OTHER_SCREEN = "\x1b[?1049h\x1b[?25l"
_THIS_SCREEN = "\x1b[?25h\x1b[?1049l"


@click.command("status", cls=Verb, examples=("hftstack status", "hftstack status stacks/prod.yaml --format json"))
@arguments.stack
@click.option("--watch", is_flag=True, help="Look again each second, until Ctrl-C.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(stack: str | None, *, watch: bool, form: str) -> int:
    """Show what is live, what is blind, since when and why.

    Lines that begin with `drift:` tell what has changed since `up`: the stack's files, a unit's binary, code or config,
    what units inherit of the environment.

    STACK is a stack's name or its file; without it, the one stack that runs. Exits 0 when every wanted unit is at its
    target and the stack is supervised, else 5.
    """
    found = look(stack)
    if watch:
        return _watch(found, form)
    click.echo("\n".join(_text(found, form)))
    return 0 if status.is_well(found) else NotSupervisedError.exit_code


def look(stack: str | None) -> dict[str, Any]:
    """Return the object of `status --format json`. Raises UsageError for a stack that was never up."""
    try:
        home = target.find(stack)
    except UsageError as error:
        if stack is None and error.message == selection.NONE_RUNS:
            raise NotSupervisedError(error.message, hint=error.hint) from None
        raise
    return engine.status(home)


def _text(found: dict[str, Any], form: str) -> list[str]:
    if form == "json":
        return [json.dumps(found)]
    return status.lines(
        found,
        now=time.time(),
        width=terminal.width(sys.stdout),
        colour=terminal.has_colour(sys.stdout),
    )


def _watch(found: dict[str, Any], form: str) -> int:
    """Show it again each second until Ctrl-C: on a terminal in its place, elsewhere below one another."""
    lively = form == "text" and terminal.is_lively(sys.stdout)
    lines = _text(found, form)
    if lively:
        with terminal.drawing(sys.stdout):
            sys.stdout.write(_OTHER_SCREEN)
    try:
        while True:
            _draw(lines, lively=lively)
            time.sleep(_EVERY)
            try:
                lines = _text(look(found["stack"]), form)
            except NotSupervisedError as error:
                lines = [str(error)]
    except KeyboardInterrupt:
        return InterruptedByUserError.exit_code
    finally:
        if lively:
            with terminal.drawing(sys.stdout):
                sys.stdout.write(_THIS_SCREEN)
            click.echo("\n".join(lines))


def _draw(lines: list[str], *, lively: bool) -> None:
    if lively:
        room = (terminal.height(sys.stdout) or len(lines) + 1) - 1
        drawn = "".join(f"{screened(line)}\x1b[K\r\n" for line in lines[:room])
        with terminal.drawing(sys.stdout):
            sys.stdout.write(f"\x1b[H{drawn}\x1b[J")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
