"""`hftstack lock`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import click

from orchestrator.cli import arguments, target
from orchestrator.cli.stackfile import load
from orchestrator.cli.verb import Verb
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.deployment.lockfile import Lock

DIFFERS: Final = 6
"""The exit code of what has found differences."""

_SHOWN: Final = 8


@click.command("lock", cls=Verb, examples=("hftstack lock stacks/prod.yaml", "hftstack lock stacks/prod.yaml --check"))
@arguments.stack_file
@click.option("--check", is_flag=True, help="Write nothing; tell what differs from the lock, and exit 6 if anything.")
@click.option(
    "--no-build", is_flag=True, help="With --check: build nothing, and leave binaries, programs and code out."
)
def command(file: Path, *, check: bool, no_build: bool) -> int:
    """Write down what the stack was reviewed with, beside its file: stacks/prod.lock, to be committed.

    The source's revision, the digest of its Cargo.lock, the toolchain, features and profile, the version of iceoryx2,
    the digest of each binary, and that of each config with its secrets left out; of a command the digest of its
    program, when that is named by a path, and of each file of code that its arguments name. `hftstack up --locked` then
    refuses (exit 7) whatever differs, before anything is touched. A source with changes that no commit holds is
    refused.
    """
    from orchestrator.cli import building  # noqa: PLC0415 - 200 ms that help and completion need not pay
    from orchestrator.deployment import lockfile  # noqa: PLC0415 - likewise
    from orchestrator.engine import locking  # noqa: PLC0415 - likewise

    if no_build and not check:
        raise UsageError("--no-build belongs to --check", hint="a lock holds the digests of what is built")
    stack = load(file, os.environ)
    home = target.home().stack(stack.name)
    home.prepare()
    path = lockfile.path_of(file)
    if not check:
        click.echo(f"wrote {path}: {_summary(locking.lock(stack, home, environ=os.environ, build=building.ensure))}")
        return 0
    found = locking.check(stack, home, environ=os.environ, build=None if no_build else building.ensure)
    for difference in found:
        click.echo(f"{path}: {difference}")
    if found:
        return DIFFERS
    click.echo(f"{path}: {stack.name} is what it says{', binaries not looked at' if no_build else ''}")
    return 0


def _summary(lock: Lock) -> str:
    parts = [] if lock.revision is None else [f"source {lock.revision[:_SHOWN]}"]
    parts += [f"{name} {digest[:_SHOWN]}" for name, digest in (lock.binaries | lock.programs | lock.code).items()]
    parts.append(f"{len(lock.configs)} config{'s' if len(lock.configs) != 1 else ''}")
    return ", ".join(parts)
