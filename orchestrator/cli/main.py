"""`hftstack`: finds the verb, and maps every error to the terminal and to an exit code, once."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from orchestrator.cli import terminal
from orchestrator.cli.verb import HelpContext
from orchestrator.errors import HftstackError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from click.shell_completion import CompletionItem

VERBS: Final = {
    "init": "Write a first stack file.",
    "validate": "Check a stack file and the files it names.",
    "config": "Print a stack merged, in a stable order, without secrets.",
    "graph": "Draw the units and who waits for whom.",
    "schema": "Print the schema of stack files.",
    "build": "Build what the stack needs with cargo.",
    "lock": "Write down what the stack was reviewed with.",
    "plan": "Show what `up` would do to each unit and to trading.",
    "diff": "Show what a change between two git revisions would do.",
    "up": "Start a stack, or change a running one to what its file says.",
    "down": "Stop a stack: bots first, then connectors, nothing left behind.",
    "start": "Start units and what they need.",
    "stop": "Stop units and what hangs below them.",
    "reset": "Clear what is held against units that failed, and start them again.",
    "restart": "Stop units and start them again, and the bots on them.",
    "halt": "Stop every stack of this user and keep it down.",
    "resume": "Let what halt keeps down be started again.",
    "wait": "Wait until units are ready, fresh or stopped.",
    "status": "Show what is live, what is blind, since when and why.",
    "logs": "Show the units' output.",
    "events": "Show what happened to the units.",
    "gaps": "List every interval without fresh data, and why.",
    "history": "List what was done: who, from which commit, how long it took.",
    "enable": "Install a stack as a service of systemd's.",
    "disable": "Take out what enable installed.",
    "upgrade": "Give a running stack the supervisor of the hftstack installed now.",
    "probe": "Look at channels from outside, without touching them.",
    "doctor": "Check this machine and the channels for a stack, and say what helps.",
}
_IN_SHORT: Final = {
    "hftstack up stacks/prod.yaml": "validate, build, start in order, prove every channel live",
    "hftstack status": "what is live, what is blind, since when and why",
    "hftstack down": "bots first, then connectors, nothing left behind",
}
_ENVIRONMENT: Final = {
    "HFTSTACK_STACK": "the stack, by name or file, that is meant when none is named",
    "HFTSTACK_HOME": "the folder of all that hftstack keeps",
    "NO_COLOR": "no colours",
}
_COMPLETION: Final = {
    "bash": 'eval "$(_HFTSTACK_COMPLETE=bash_source hftstack)"',
    "zsh": 'eval "$(_HFTSTACK_COMPLETE=zsh_source hftstack)"',
    "fish": "_HFTSTACK_COMPLETE=fish_source hftstack | source",
}
_ANYWHERE: Final = frozenset({"init", "validate", "config", "graph", "schema"})
INTERRUPTED: Final = 130
LEFT_EARLY: Final = 141
"""Whoever read the output left before its end, as `| head` does: what SIGPIPE would have said."""


class _NobodyReadsError(Exception):
    """Raised for a BrokenPipeError, which click would take as exit code 1."""


@contextmanager
def _piped() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise _NobodyReadsError from None


class Verbs(click.Group):
    """Imports a verb when it is called; help and completion come from the table alone."""

    context_class = HelpContext

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401 - click's
    ) -> click.Context:
        """Parse the command line; --help and --version write here."""
        with _piped():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> object:
        """Run the verb."""
        with _piped():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order in which people meet them."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the verb's command."""
        del ctx
        if cmd_name not in VERBS:
            return None
        if cmd_name not in _ANYWHERE and sys.platform != "linux":
            raise RefusedError(f"`hftstack {cmd_name}` runs on Linux only", hint="validate works everywhere")
        command = import_module(f"orchestrator.cli.{cmd_name}").command
        assert isinstance(command, click.Command)  # noqa: S101 - the table and the modules are held together by a test
        return command

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what it is, and the three commands of every day."""
        super().format_help_text(ctx, formatter)
        with formatter.section("In short"):
            formatter.write_dl(list(_IN_SHORT.items()))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the environment decides, and how a shell learns to complete."""
        super().format_epilog(ctx, formatter)
        with formatter.section("Environment"):
            formatter.write_dl(list(_ENVIRONMENT.items()))
        with formatter.section("Completion"):
            formatter.write_dl(list(_COMPLETION.items()))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs' short help."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the verb; an unknown one is an error that names the nearest."""
        if args and args[0] not in VERBS and not args[0].startswith("-") and not ctx.resilient_parsing:
            import difflib  # noqa: PLC0415 - for a mistyped verb only

            near = difflib.get_close_matches(args[0], VERBS, n=1)
            ctx.fail(f"No such command {args[0]!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the verbs that begin with what was typed."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - for completion only

        del ctx
        return [CompletionItem(verb, help=text) for verb, text in VERBS.items() if verb.startswith(incomplete)]


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(None, "--version", package_name="hftstack", message="hftstack %(version)s")
def cli() -> None:
    """Run HftBacktest live connectors and their bots from one stack file."""


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with design section 9's exit code.

    At once, when all is written: taking the interpreter down in order costs more than `status` itself.
    """
    terminal.guard()
    code = run(argv)
    try:
        sys.stdout.flush()
    except OSError as error:
        code = _unwritten(error)
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(code)


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; nobody need read what it says."""
    try:
        return _run(argv)
    except (_NobodyReadsError, BrokenPipeError):
        return _unwritten(BrokenPipeError())
    except OSError as error:
        if error.errno == errno.ENOSPC and error.filename is None:
            return _unwritten(error)
        _tell(_trouble(error))
        return HftstackError.exit_code


def _trouble(error: OSError) -> str:
    """Return one line on what the system did not do."""
    if error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    try:
        os.getcwd()  # noqa: PTH109 - Path.cwd() is the same
    except OSError:
        return "the working directory is gone\n    cd to one that is there"
    return str(error)


def _unwritten(error: OSError) -> int:
    """Say, where anybody may hear it, that the output could not be written; returns the exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return LEFT_EARLY
    with suppress(OSError):
        _tell(f"cannot write the output: {error.strerror}")
    return HftstackError.exit_code


def _run(argv: Sequence[str] | None) -> int:
    try:
        result = cli.main(args=None if argv is None else list(argv), prog_name="hftstack", standalone_mode=False)
    except HftstackError as error:
        _tell(str(error))
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        _tell("interrupted")
        return INTERRUPTED
    return result if isinstance(result, int) else 0


def _tell(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - the one place for errors
