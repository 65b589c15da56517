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


def complete_unit(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the units that are deployed of the stack that is meant, without those that are named already.

    The stack is the parameter `stack`, option or argument, else what it is when none is named.
    """
    with suppress(HftstackError, OSError):
        stack = target.find(ctx.params.get("stack"))
        return _offer(_without(selection.deployed_units(stack), _typed(ctx, param)), incomplete)
    return []


def complete_stack_or_unit(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer, for words of which the first may be a stack and all others are units: both at first, then units."""
    typed = _typed(ctx, param)
    first = typed[0] if typed and (selection.is_path(typed[0]) or typed[0] in _stacks()) else None
    with suppress(HftstackError, OSError):
        units = _without(selection.deployed_units(target.find(first)), typed)
        return _offer(units if typed else [*units, *_stacks()], incomplete)
    return [] if typed else _offer(_stacks(), incomplete)


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
    "-s", "--stack", metavar="STACK", help="The stack, by name or file; default: the one that runs.",
    shell_complete=complete_stack,
)  # fmt: skip
"""-s STACK, for verbs whose arguments are units."""

stack_file = click.argument("file", required=False, callback=_file, shell_complete=complete_file)
"""FILE: the path of a stack file, or a stack's name; never None when the verb is called."""

stack_and_units = click.argument("names", nargs=-1, metavar="[STACK] [UNIT]...", shell_complete=complete_stack_or_unit)
"""Words of which the first is a stack when it is a path or a stack's name; all others are units."""

units = click.argument("units", nargs=-1, metavar="[UNIT]...", shell_complete=complete_unit)
"""Units, by name."""
