"""A stack before it is one: what checks of other rooms look at, while every mistake can still be told at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, TypeAlias

from orchestrator.errors import Diagnostic
from orchestrator.stack import pointer as json_pointer
from orchestrator.stack import toml_places
from orchestrator.stack.document import Finding, pointer_shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from orchestrator.stack.toml_places import Places


@dataclass(frozen=True)
class TomlFile:
    """A TOML file that could be parsed: its name as the user would find it, and its text."""

    shown: str
    text: str = field(repr=False)

    @cached_property
    def places(self) -> Places:
        """Where its keys and values stand."""
        return toml_places.scan(self.text)


@dataclass(frozen=True, slots=True)
class Configured:
    """What a unit is configured with. `pointer` is its place in the stack file, `file` is None for an inline table."""

    pointer: str
    table: Mapping[str, object] = field(repr=False)
    file: TomlFile | None = None

    def located(self, parts: Sequence[str | int], finding: Finding) -> Finding | Diagnostic:
        """Return `finding` at the place that `parts` lead to, in the stack file or in the TOML file."""
        if self.file is None:
            pointer = self.pointer + json_pointer.join(parts)
            return Finding(
                pointer, finding.message, finding.hint, finding.rule, finding.on_key,
                severity=finding.severity, ignored=finding.ignored,
            )  # fmt: skip
        inside = json_pointer.join(parts)
        place = self.file.places.near(inside, on_key=finding.on_key)
        return Diagnostic(
            self.file.shown, *place, pointer_shown(inside, self.table), finding.message, finding.hint, finding.rule,
            finding.severity, finding.ignored,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Draft:
    """A stack file's data with its variables replaced, which may be malformed, and the configs that could be read."""

    data: Mapping[str, object] = field(repr=False)
    configs: Mapping[str, Configured] = field(repr=False)


class Origin(Protocol):
    """What a stack was read from: its rules can be asked again, of configs whose secrets are known.

    `contents` are the bytes of the stack file, and of those that it extends, by absolute path.
    """

    contents: Mapping[Path, bytes]

    def mistakes(self, tables: Mapping[str, Mapping[str, object]]) -> tuple[Diagnostic, ...]:
        """Return the errors that units' filled in `tables` have, at the places of what was filled in."""

    def place(self, pointer: str) -> str:
        """Return where a key stands, as file:line:column."""

    def is_given(self, parts: Sequence[str]) -> bool:
        """Tell whether the environment has a part in what `parts` lead to, a text or a table of texts."""


Check: TypeAlias = "Callable[[Draft], Iterable[Finding | Diagnostic]]"
"""Finds what is wrong with a draft; it skips what is malformed, which is reported without it."""
