"""`hftstack enable`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from orchestrator.cli import arguments, target
from orchestrator.cli.stackfile import load
from orchestrator.cli.verb import Verb

if TYPE_CHECKING:
    from pathlib import Path


@click.command("enable", cls=Verb, examples=("hftstack enable stacks/prod.yaml", "hftstack enable prod --print"))
@arguments.stack_file
@click.option("--print", "only_print", is_flag=True, help="Show the unit file and install nothing.")
def command(file: Path, *, only_print: bool) -> int:
    """Install a stack as a service of systemd's, started at each boot: the machine's for root, else the user's own.

    A stack that runs becomes the service's at once: its supervisor leaves, systemd's takes the units over as they run,
    and none is touched; what its file says by then is for the next `up` or boot. One that does not run is not started.

    A boot leaves down what was stopped by name, had failed or had finished, also when the whole stack went down after
    that. `systemctl stop` is an ordered down; a guardian or supervisor that dies leaves the units running, and the next
    start takes them over. A service starts with the binaries of an earlier build, and with its file as it is then;
    where a lock lies beside the file by now, with nothing but what that says. Of this environment it has what units
    inherit and hftstack's own variables, and no others.
    """
    from orchestrator.engine import handover, service  # noqa: PLC0415 - help and completion need not pay
    from orchestrator.engine.preparation import refuse_another  # noqa: PLC0415
    from orchestrator.observe.unsupervised import living  # noqa: PLC0415

    stack = load(file, service.environment(os.environ))
    of = service.service(stack.name, os.environ, os.geteuid())
    content = service.text(stack, of, os.environ)
    if only_print:
        click.echo(content, nl=False)
        return 0
    service.refuse_logout(of, os.geteuid())
    home = target.home().stack(stack.name)
    refuse_another(stack, home)
    service.install(of, content)
    manager = " ".join(of.systemctl)
    if not living(home):
        click.echo(f"{stack.name}  wrote {of.file}, enabled.  {manager} start {of.unit}")
    elif handover.is_managed(of, home):
        click.echo(f"{stack.name}  wrote {of.file}, enabled; it runs as that service")
    else:
        handover.hand_over(of, home, os.environ)
        click.echo(f"{stack.name}  wrote {of.file}, enabled; systemd supervises it now, no unit was touched")
    return 0
