"""`hftstack resume`."""

from __future__ import annotations

import os
import time
from contextlib import suppress

import click

from orchestrator.cli import arguments, target, terminal
from orchestrator.cli import reason as why
from orchestrator.cli.verb import Verb
from orchestrator.errors import HftstackError, RefusedError


@click.command(
    "resume",
    cls=Verb,
    examples=("hftstack resume --reason 'fixed in 4f1c09a'", "hftstack resume --stack prod --reason ok"),
)
@why.reason
@arguments.only_stack
def command(reason: str, stack: str | None) -> int:
    """Let what `halt` keeps down be started again; nothing is started.

    Without --stack the latch of all stacks is released; those that are halted by themselves stay so, and are named.
    Resuming what was not halted says so. Refuses, with exit 7, to release a stack while all are halted.
    """
    from orchestrator.engine import halting  # noqa: PLC0415 - help and completion need not pay
    from orchestrator.supervise import halt  # noqa: PLC0415

    home, user = target.home(), halt.user_name(os.environ)
    one = None if stack is None else target.find(stack)
    what = "every stack of this user" if one is None else one.name
    every = halt.read(home)
    released = halt.release(home if one is None else one)
    if released is None:
        if one is not None and every is not None:
            raise RefusedError(f"{what} is not halted by itself: {halt.refusal(what, every).message}", hint=_ALL)
        click.echo(f"{what if one is not None else 'this user'} was not halted")
    else:
        text = f"{what}, by {user}: {reason}; was {released}"
        halting.record(home, one, "resume", text, time.time_ns(), reason=reason, user=user)
        click.echo(f"{what} is released; it was {released}")
        click.echo("nothing is started: hftstack up FILE does")
    if one is not None and every is not None:
        terminal.say(f"{what} stays down: {halt.refusal(what, every)}")
    if one is None:
        for name in home.stacks():
            with suppress(HftstackError):
                own = halt.read(home.stack(name))
                if own is not None:
                    terminal.say(f"{name} stays down: {halt.refusal(name, own)}")
    return 0


_ALL = "hftstack resume --reason TEXT releases all"
