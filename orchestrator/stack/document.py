"""A YAML document as plain data that still knows where everything stands, and how to talk about it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import Diagnostic
from orchestrator.printable import printable
from orchestrator.stack import pointer as json_pointer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.errors import Severity

Place = tuple[int, int]
"""Line and column, both from 1; columns count characters."""

SECTIONS: Final = ("connectors", "services", "bots")

_LONGEST_QUOTE: Final = 60
_WORD: Final = r"[0-9]{0,4}(?:[A-Z]?[a-z]+(?:[A-Z][a-z]+)*|[A-Z]+)[0-9]{0,3}"
_WORDS: Final = re.compile(rf"(?=.{{1,40}}\Z)[_-]*{_WORD}(?:[_./-]+(?:{_WORD}|[0-9]{{1,4}}))*")
_END_OF_KEY: Final = re.compile(r"[\s:=;…]")
_UNIT_DEPTH: Final = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake at a JSON pointer; `on_key` means the key, not the value. The message never holds a secret."""

    pointer: str
    message: str
    hint: str | None
    rule: str
    on_key: bool = False
    severity: Severity = "error"
    ignored: str | None = None


def holds_secrets(parts: Sequence[str]) -> bool:
    """Tell whether values at this place may be secrets: configs, environments, and what is only there to be shared.

    `secrets:` holds none when it is right, and may when it is not.
    """
    if not parts:
        return False
    if parts[0] in SECTIONS:
        return len(parts) >= _UNIT_DEPTH and parts[2] in {"config", "env"}
    return (
        parts[0] in {"env", "secrets"}
        or parts[0].startswith("x-")
        or tuple(parts[:2]) in {("build", "env"), ("source", "git")}
    )


def key_shown(parts: Sequence[str]) -> str:
    """Return the last of `parts` as it may be shown: a slip of the pen, `secret:K`, makes a key of a secret.

    Units and secrets may have any name. Other keys are words: of one that is not, what follows them is cut off.
    """
    head = _END_OF_KEY.split(parts[-1], maxsplit=1)[0]
    known = head if _is_of_a_name(parts) or _WORDS.fullmatch(head) else ""
    return parts[-1] if known == parts[-1] else f"{known}…"


def _is_of_a_name(parts: Sequence[str]) -> bool:
    if len(parts) == _UNIT_DEPTH - 1:
        return parts[0] in {*SECTIONS, "secrets"}
    return len(parts) > _UNIT_DEPTH and parts[0] in SECTIONS and parts[2] == "depends_on"


def pointer_shown(pointer: str, data: object) -> str:
    """Return a pointer into `data` as it may be shown."""
    parts = json_pointer.split(pointer)
    told: list[str] = []
    for depth, part in enumerate(parts, 1):
        told.append(part if isinstance(data, list) else key_shown(parts[:depth]))
        data = _inside(data, part)
    return printable(json_pointer.join(told))


def _inside(value: object, part: str | int) -> object:
    if isinstance(value, dict):
        return value.get(part)
    if isinstance(value, list) and str(part).isdecimal() and int(part) < len(value):
        return value[int(part)]
    return None


def quote(value: object) -> str:
    """Return `value` as a reader would recognise it in the file, in a few words."""
    if isinstance(value, str):
        short = value if len(value) <= _LONGEST_QUOTE else value[: _LONGEST_QUOTE - 1] + "…"
        return f'"{printable(short)}"'
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    return "a list" if isinstance(value, list) else "a table"


@dataclass(frozen=True, slots=True)
class Document:
    """What a YAML text says, and where the file that it extends, if any, says the rest.

    Args:
        file: the file as its user named it.
        data: dicts with text keys, lists, and scalars.
        values: where each value stands, by JSON pointer; an aliased one stands at its anchor.
        keys: where each key stands.
        mistakes: what is wrong with the text itself.
        faulty: pointers of values that `mistakes` already covers; what `data` holds there means nothing.
        folder: what paths in the file are relative to, absolute.
        base: the document of the file that this one extends; `data`, `mistakes` and `faulty` are then those of both.
    """

    file: str
    data: object = field(repr=False)
    values: Mapping[str, Place] = field(repr=False)
    keys: Mapping[str, Place] = field(repr=False)
    mistakes: tuple[Diagnostic, ...] = ()
    faulty: frozenset[str] = frozenset()
    folder: Path = Path("/")
    base: Document | None = field(default=None, repr=False)

    def layer(self, pointer: str) -> Document:
        """Return the document in whose file the value at `pointer` stands; this one when none has it."""
        return next((layer for layer in self._layers() if pointer in layer.values), self)

    def _layers(self) -> Iterator[Document]:
        layer: Document | None = self
        while layer is not None:
            yield layer
            layer = layer.base

    def at(self, parts: Sequence[str | int]) -> object:
        """Return the value that `parts` lead to; None when there is none."""
        value = self.data
        for part in parts:
            value = _inside(value, part)
        return value

    def quoted(self, pointer: str) -> str:
        """Return the value at `pointer` for a message, or words for it where it may be a secret."""
        parts = json_pointer.split(pointer)
        return "this value" if holds_secrets(parts) else quote(self.at(parts))

    def path(self, pointer: str, path: Path) -> str:
        """Return the path at `pointer` for a message: as it was written where it holds a variable, a secret perhaps."""
        written = self.at(json_pointer.split(pointer))
        return quote(written) if isinstance(written, str) and "$" in written else printable(str(path))

    def diagnostic(self, finding: Finding) -> Diagnostic:
        """Return the finding with its place: that of the nearest thing around it which stands in the file."""
        file, (line, column) = self.place(finding.pointer, on_key=finding.on_key)
        return Diagnostic(
            file=file,
            line=line,
            column=column,
            pointer=pointer_shown(finding.pointer, self.data),
            message=finding.message,
            hint=finding.hint,
            rule=finding.rule,
            severity=finding.severity,
            ignored=finding.ignored,
        )

    def place(self, pointer: str, *, on_key: bool) -> tuple[str, Place]:
        """Return the file and the place of a value or its key: of the nearest thing around it that stands there."""
        for layer in self._layers():
            first, second = (layer.keys, layer.values) if on_key else (layer.values, layer.keys)
            place = first.get(pointer) or second.get(pointer)
            if place is not None:
                return layer.file, place
        return self.place(json_pointer.parent(pointer), on_key=True) if pointer else (self.file, (1, 1))
