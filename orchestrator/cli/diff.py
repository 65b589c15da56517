"""`hftstack diff`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from orchestrator.cli import arguments
from orchestrator.cli.plan import DIFFERS, as_form, tell
from orchestrator.cli.plan import exit_code as exit_option
from orchestrator.cli.verb import Verb

if TYPE_CHECKING:
    from pathlib import Path


@click.command(
    "diff",
    cls=Verb,
    examples=(
        "hftstack diff main HEAD stacks/prod.yaml",
        "hftstack diff origin/main HEAD stacks/prod.yaml --format markdown",
    ),
)
@click.argument("old", metavar="REV1")
@click.argument("new", metavar="REV2")
@arguments.stack_file
@as_form
@exit_option
def command(old: str, new: str, file: Path, *, form: str, exit_code: bool) -> int:
    """Show what a stack's change between two git revisions would do where the first one runs. For pull requests.

    Any two revisions, without a checkout: the file, what it extends and the configs it names are read from git. What
    `plan` says, but for what depends on a machine: binaries are compared by what they are built from, secrets by where
    they come from, and commands and a ${VAR} without a default are taken as written. Only where such a variable is a
    duration, a size or the like, it needs a value. Then what no unit shows: the sources of secrets, `require`, rules
    that are ignored, and all else that the file says.
    """
    from orchestrator.engine.between import between  # noqa: PLC0415 - 200 ms that help and completion need not pay

    plan = between(old, new, file, os.environ)
    tell(plan, form)
    return DIFFERS if exit_code and not plan.is_empty else 0
