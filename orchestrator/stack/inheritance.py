"""`extends`: a stack file completed by another one. Tables are merged at any depth, everything else is replaced.

A path in a file is relative to that file, whoever extends it. A file that is extended may be incomplete by itself: only
what comes out of the merge is judged, and each mistake is told where its text stands.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from orchestrator.errors import StackError
from orchestrator.printable import printable
from orchestrator.stack import pointer as json_pointer
from orchestrator.stack import textfile
from orchestrator.stack.document import SECTIONS, Finding, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from orchestrator.errors import Diagnostic
    from orchestrator.stack.document import Document

KEY: Final = "extends"
MOST_FILES: Final = 8
"""A stack file and those that it extends."""

_POINTER: Final = f"/{KEY}"


class _BrokenError(Exception):
    """Raised when a file cannot be completed: what is wrong with its `extends`."""

    def __init__(self, message: str, hint: str, rule: str) -> None:
        super().__init__(message)
        self.finding = Finding(_POINTER, message, hint, rule)


def complete(document: Document, path: Path, read: Callable[[Path], Document]) -> Document:
    """Return the document at `path`, merged with those that it extends, which `read` reads.

    Raises:
        StackError: a file in the chain is missing, is no table, or extends what extends it.
    """
    layers = [document]
    named = [path]
    while isinstance((layer := layers[-1]).data, dict) and KEY in layer.data:
        if _POINTER in layer.faulty:
            raise _broken(layers)
        try:
            base = _named(layer.data[KEY], layer)
            _check_chain([*named, base])
            layers.append(_read(base, read))
        except _BrokenError as error:
            raise _broken(layers, layer.diagnostic(error.finding)) from None
        except StackError as error:
            raise _broken(layers, *error.diagnostics) from None
        named.append(base)
        if not isinstance(layers[-1].data, dict):
            message = f"{quote(layers[-1].data)} is not a table"
            finding = Finding(
                "", message, "write key: value pairs: another stack file is completed by them", "wrong-type"
            )
            raise _broken(layers, layers[-1].diagnostic(finding))
    merged = layers.pop()
    while layers:
        merged = _over(layers.pop(), merged)
    if isinstance(merged.data, dict):
        return replace(merged, data={key: value for key, value in merged.data.items() if key != KEY})
    return merged


def _broken(layers: list[Document], *diagnostics: Diagnostic) -> StackError:
    return StackError([*(mistake for layer in layers for mistake in layer.mistakes), *diagnostics])


def _named(value: object, layer: Document) -> Path:
    if not isinstance(value, str) or not value:
        raise _BrokenError(f"{quote(value)} is no path", "name one stack file; that one may extend another", "path")
    if "${" in value:
        raise _BrokenError(
            "variables do not work here", "write it out: a reviewer must see it", "interpolation-forbidden"
        )
    if value.startswith("~"):
        raise _BrokenError(
            f"{quote(value)} starts with ~, which is not expanded", "give a path relative to this file", "path"
        )
    return layer.folder / value


def _check_chain(paths: list[Path]) -> None:
    *before, last = (os.path.realpath(path) if "\0" not in str(path) else "" for path in paths)
    if last in before:
        way = " -> ".join(path.name for path in paths[before.index(last) :])
        raise _BrokenError(f"these extend each other: {printable(way)}", "remove one of them", "extends-cycle")
    if len(paths) > MOST_FILES:
        raise _BrokenError(
            f"more than {MOST_FILES} files that extend one another",
            "nobody can review that: merge some",
            "extends-depth",
        )


def _read(path: Path, read: Callable[[Path], Document]) -> Document:
    try:
        return read(path)
    except textfile.UnreadableError as error:
        raise _BrokenError(f"{printable(str(path))}: {error.message}", error.hint, "extends-file") from None


def _over(document: Document, base: Document) -> Document:
    """Return `document` with what it does not say taken from `base`."""
    return replace(
        document,
        data=_merged(document.data, base.data),
        base=base,
        mistakes=(*document.mistakes, *base.mistakes),
        faulty=document.faulty | {pointer for pointer in base.faulty if pointer not in document.values},
    )


def _merged(own: object, inherited: object) -> object:
    if not isinstance(own, dict) or not isinstance(inherited, dict):
        return own
    return inherited | {
        key: _merged(value, inherited[key]) if key in inherited else value for key, value in own.items()
    }


def anchor(data: dict[str, object], document: Document, *, folder: Path | None = None) -> None:
    """Make the relative paths in `data` that stand in files which `document` extends absolute, in place.

    With a `folder` they become relative to that. One that begins with a variable stays: it is taken for absolute.
    """
    if document.base is None:
        return
    for table, key, pointer in _paths(data):
        value = table[key]
        if isinstance(value, str):
            table[key] = _anchored(value, pointer, document, folder)
    for table, key, pointer in _programs(data):
        argv = table[key]
        if isinstance(argv, list) and argv and isinstance(argv[0], str) and "/" in argv[0]:
            table[key] = [_anchored(argv[0], json_pointer.child(pointer, 0), document, folder), *argv[1:]]


def _anchored(text: str, pointer: str, document: Document, folder: Path | None) -> str:
    layer = document.layer(pointer)
    if layer is document or not text or text.startswith(("~", "${")) or (pointer == "/source/git" and ":" in text):
        return text
    path = os.path.normpath(layer.folder / text)
    return path if folder is None else os.path.relpath(path, folder)


_Place = tuple[dict[str, object], str, str]
"""A table, one of its keys, and the pointer of its value."""


def _at(data: object, *parts: str, pointer: str = "") -> Iterator[_Place]:
    """Yield the values that `parts` lead to; `*` is each key of a table."""
    if not isinstance(data, dict):
        return
    first, *rest = parts
    for key in list(data) if first == "*" else {first} & data.keys():
        inner = json_pointer.child(pointer, key)
        if rest:
            yield from _at(data[key], *rest, pointer=inner)
        else:
            yield data, key, inner


def _paths(data: dict[str, object]) -> Iterator[_Place]:
    yield from _at(data, "source", "path")
    yield from _at(data, "source", "git")
    yield from _at(data, "secrets", "*", "file")
    for section in SECTIONS:
        yield from _at(data, section, "*", "cwd")
        yield from _at(data, section, "*", "config")


def _programs(data: dict[str, object]) -> Iterator[_Place]:
    """Yield the programs that are relative to the file that names them; a unit's command is relative to its cwd."""
    yield from _at(data, "notify", "command")
    yield from _at(data, "secrets", "*", "command")
    yield from _at(data, "defaults", "hooks", "*")
    for section in SECTIONS:
        yield from _at(data, section, "*", "hooks", "*")
