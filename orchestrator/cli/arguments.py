"""The arguments that verbs have in common: a stack, its file, its units; and how a shell completes them.

Completion reads directories and deployment.json, no YAML; whatever fails while it looks, it offers nothing.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli import target
from orchestrator.errors import HftstackError
from orchestrator.observe import selection, stackfiles

if TYPE_CHECKING:
    from collections.abc import Iterable

    from click.shell_completion import CompletionItem


def _offer(candidates: Iterable[str], incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem  # noqa: PLC0415 - for completion only

    return [CompletionItem(name) for name in dict.fromkeys(candidates) if name.startswith(incomplete)]


def _or_files(items: list[CompletionItem], incomplete: str) -> list[CompletionItem]:
    """Return the items, or what makes the shell complete paths."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415 - for completion only

    return items or [CompletionItem(incomplete, type="file")]


def _stacks() -> tuple[str, ...]:
    with suppress(HftstackError):
        return target.home().stacks()
    return ()


def _near() -> list[str]:
    return [str(path) for path in stackfiles.nearby(Path())]


def complete_stack(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the stacks of this user by name, then the files in ./stacks, then any path."""
    return _or_files(_offer([*_stacks(), *_near()], incomplete), incomplete)


def complete_file(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the stack files in ./stacks, then the stacks of this user by name, then any path."""
    return _or_files(_offer([*_near(), *_stacks()], incomplete), incomplete)


def complete_file_or_unit(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer a file or a stack first, then the units that are deployed of it."""
    if not _typed(ctx, param) and ctx.params.get("stack") is None:
        return complete_file(ctx, param, incomplete)
    typed = _typed(ctx, param)
    with suppress(HftstackError, OSError):
        stack = target.find(ctx.params.get("stack") or (typed[0] if _is_stack(typed[0]) else None))
        return _offer(_without(selection.deployed_units(stack), typed), incomplete)
    return []


def file_of(names: tuple[str, ...], stack: str | None) -> tuple[Path, tuple[str, ...]]:
    """Return the stack file and the units that are meant by [FILE] [UNIT]... and -s. Raises UsageError.

    The first word is the file when it is a path, a stack's name or a file there; with -s it is a unit.
    """
    if stack is not None or not names:
        return target.file(stack), names
    if _is_stack(names[0]):
        return target.file(names[0]), names[1:]
    try:
        return target.file(None), names
    except HftstackError:
        return target.file(names[0]), names[1:]


def _is_stack(word: str) -> bool:
    return (
        selection.is_path(word)
        or Path(word).is_file()
        or word in _stacks()
        or any(path.stem == word for path in stackfiles.nearby(Path()))
    )


def complete_unit(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the units that are deployed of the stack that is meant, without those that are named already.

    The stack is the parameter `stack`, option or argument, else what it is when none is named.
    """
    with suppress(HftstackError, OSError):
        stack = target.find(ctx.params.get("stack"))
        return _offer(_without(selection.deployed_units(stack), _typed(ctx, param)), incomplete)
    return []


def _typed(ctx: click.Context, param: click.Parameter) -> tuple[str, ...]:
    typed = ctx.params.get(param.name or "")
    return tuple(map(str, typed)) if isinstance(typed, tuple | list) else ()


def _without(names: Iterable[str], taken: Iterable[str]) -> list[str]:
    left_out = set(taken)
    return [name for name in names if name not in left_out]


def _file(ctx: click.Context, _: click.Parameter, value: str | None) -> Path | None:
    return None if ctx.resilient_parsing else target.file(value)


stack = click.argument("stack", required=False, shell_complete=complete_stack)
"""STACK: a name or a file; `target.find` makes it a stack."""

stack_option = click.option(
    "-s", "--stack", metavar="STACK", help="The stack, by name or file; default: $HFTSTACK_STACK, or the only one.",
    shell_complete=complete_stack,
)  # fmt: skip
"""-s STACK, for verbs whose arguments are units."""

only_stack = click.option(
    "--stack", metavar="STACK", help="Only this stack, by name or file.", shell_complete=complete_stack
)
"""--stack STACK, which narrows what is meant of all stacks; without it HFTSTACK_STACK counts for nothing."""

stack_file = click.argument("file", required=False, callback=_file, shell_complete=complete_file)
"""FILE: the path of a stack file, or a stack's name; never None when the verb is called."""

file_and_units = click.argument("names", nargs=-1, metavar="[FILE] [UNIT]...", shell_complete=complete_file_or_unit)
"""Words that `file_of` makes a stack file and units."""

units = click.argument("units", nargs=-1, metavar="[UNIT]...", shell_complete=complete_unit)
"""Units, by name."""

some_units = click.argument("units", nargs=-1, required=True, metavar="UNIT...", shell_complete=complete_unit)
"""Units, by name; at least one."""
