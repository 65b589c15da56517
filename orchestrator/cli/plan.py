"""`hftstack plan`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from orchestrator.cli import arguments, target, terminal
from orchestrator.cli.stackfile import check_units, load
from orchestrator.cli.verb import Verb
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.deployment.plan import Plan

DIFFERS: Final = 6
"""The exit code of --exit-code for what has found changes."""

as_form = click.option(
    "--format", "form", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True
)
exit_code = click.option("--exit-code", is_flag=True, help="Exit 6 when there are changes.")


@click.command(
    "plan",
    cls=Verb,
    examples=(
        "hftstack plan stacks/prod.yaml",
        "hftstack plan stacks/prod.yaml bf",
        "hftstack plan --out prod.plan && hftstack up --plan prod.plan",
    ),
)
@arguments.file_and_units
@arguments.stack_option
@as_form
@exit_code
@click.option("--build", "with_build", is_flag=True, help="Ask cargo first, so that binaries are those of `up`.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the plan to a file too.")
def command(
    names: tuple[str, ...], stack: str | None, *, form: str, exit_code: bool, with_build: bool, out: Path | None
) -> int:
    """Show what `up` would do to each unit and to trading, against what runs. Nothing is touched.

    Each field old -> new; what may hold a secret is shown by a digest. Then the effect: channels that go dark and for
    how long that was so on this machine, bots on them, orders that the exchange cancels when symbols are registered
    anew, what each stop may take. With units, what `up` of those would do. `up --plan FILE` does what --out wrote, or
    refuses (exit 7). `hftstack history` shows the digest at the end of the plan with the `up` that does it.
    """
    from orchestrator.deployment import planfile  # noqa: PLC0415 - not for help
    from orchestrator.engine import planning  # noqa: PLC0415 - 200 ms that help and completion need not pay

    file, units = arguments.file_of(names, stack)
    loaded = load(file, os.environ)
    check_units(loaded, units, named=stack is not None or len(units) < len(names))
    build = None
    if with_build:
        from orchestrator.cli import building  # noqa: PLC0415 - likewise

        build = building.ensure
    home = target.home().stack(loaded.name)
    plan = planning.planned(loaded, home, environ=os.environ, build=build, only=units or None)
    if out is not None:
        _write(plan, out)
    tell(plan, form, planfile.digest(plan))
    return DIFFERS if exit_code and not plan.is_empty else 0


def tell(plan: Plan, form: str, digest: str | None = None) -> None:
    """Write a plan to stdout, with its digest where an `up` may be known by it."""
    from orchestrator.deployment import planfile  # noqa: PLC0415 - not for help
    from orchestrator.observe import plans  # noqa: PLC0415 - likewise

    if form == "json":
        click.echo(json.dumps(planfile.as_json(plan), indent=2))
        return
    for line in plans.markdown(plan, digest) if form == "markdown" else plans.lines(plan, digest):
        click.echo(line)


def _write(plan: Plan, out: Path) -> None:
    from orchestrator.deployment import planfile  # noqa: PLC0415 - not for help

    try:
        planfile.write(out, plan)
    except OSError as error:
        raise UsageError(f"the plan cannot be written: {error.strerror}", where=str(out)) from None
    terminal.say(f"wrote {out}: hftstack up --plan {out}")
