"""From a file to a stack: every step finds all it can, and the mistakes of all steps are reported together."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from orchestrator.errors import Diagnostic, StackError
from orchestrator.stack import inheritance, loader, merging, rules, textfile, unsupported
from orchestrator.stack import pointer as json_pointer
from orchestrator.stack.config import Reader
from orchestrator.stack.diagnose import diagnose
from orchestrator.stack.document import SECTIONS, Finding, printable, quote
from orchestrator.stack.draft import Draft
from orchestrator.stack.garbage import uncollected
from orchestrator.stack.interpolation import interpolate
from orchestrator.stack.model import Stack
from orchestrator.stack.scalars import is_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from orchestrator.stack.document import Document
    from orchestrator.stack.draft import Check

MOST_BYTES: Final = 4 << 20
"""A thousand connectors take 0.3 MiB."""


def _read(path: Path) -> Document:
    file = printable(str(path))
    content = textfile.read(path, MOST_BYTES)
    try:
        document = loader.parse(file, textfile.decode(content))
    except textfile.UnreadableError as error:
        raise _unreadable(path, error) from None
    folder = Path(os.path.abspath(path)).parent  # noqa: PTH100 - as its user named it: links are not followed
    return replace(document, folder=folder)


def _unreadable(path: Path, error: textfile.UnreadableError) -> StackError:
    return StackError([Diagnostic(printable(str(path)), *error.place, "", error.message, error.hint, error.rule)])


def _name(data: dict[str, object], path: Path) -> Iterator[Finding]:
    """Give the stack the name of its file when it has none of its own."""
    if "name" in data:
        return
    if is_name(path.stem):
        data["name"] = path.stem
    else:
        yield Finding("", f"the file's name, {quote(path.stem)}, is no name for a stack", "add name: NAME", "name")


def _configs(data: Mapping[str, object], reader: Reader) -> Iterator[Finding | Diagnostic]:
    for section in SECTIONS:
        units = data.get(section)
        if section == "services" or not isinstance(units, dict):
            continue
        for name, unit in units.items():
            if isinstance(unit, dict) and "config" in unit:
                yield from reader.mistakes(unit["config"], json_pointer.join((section, name, "config")))


def _folders(data: Mapping[str, object], document: Document) -> Iterator[Finding]:
    """Find the working directories that do not exist; the source is the build's, a reviewer need not have it."""
    places: list[tuple[str, object]] = []
    for section in SECTIONS:
        units = data.get(section)
        if isinstance(units, dict):
            places.extend(
                (json_pointer.join((section, name, "cwd")), unit.get("cwd"))
                for name, unit in units.items()
                if isinstance(unit, dict)
            )
    for pointer, value in places:
        if isinstance(value, str) and value and not value.startswith("~"):
            path = merging.absolute(document.folder, Path(value))
            if not os.path.isdir(path):  # noqa: PTH112 - a name that is too long raises from Path.is_dir
                message = f"{document.path(pointer, path)}: there is no such directory"
                yield Finding(pointer, message, "create it, or correct the path", "directory-missing")


class _Mistakes:
    """Collects what the steps find, once each place that an earlier step has covered already."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._covered = set(document.faulty)
        self.diagnostics = list(document.mistakes)

    def add(self, findings: Iterable[Finding | Diagnostic], *, cover: bool = False) -> None:
        found = [
            finding for finding in findings if isinstance(finding, Diagnostic) or not self._is_covered(finding.pointer)
        ]
        for finding in found:
            self.diagnostics.append(finding if isinstance(finding, Diagnostic) else self._document.diagnostic(finding))
            if cover and isinstance(finding, Finding):
                self._covered.add(finding.covers or finding.pointer)

    @property
    def told(self) -> list[Diagnostic]:
        """Those that the file gives no reason to ignore."""
        return [diagnostic for diagnostic in self.diagnostics if diagnostic.ignored is None]

    def _is_covered(self, pointer: str) -> bool:
        while pointer:
            if pointer in self._covered:
                return True
            pointer = json_pointer.parent(pointer)
        return pointer in self._covered


def _draft(data: Mapping[str, object], reader: Reader) -> Draft:
    connectors = data.get("connectors")
    found = {
        name: reader.configured(unit["config"], json_pointer.join(("connectors", name, "config")))
        for name, unit in (connectors.items() if isinstance(connectors, dict) else ())
        if isinstance(unit, dict) and "config" in unit
    }
    return Draft(data, {name: configured for name, configured in found.items() if configured is not None})


def document_at(path: Path) -> Document:
    """Return what the stack file at `path` says, with what it extends; its variables are not replaced.

    Raises:
        StackError: there is no document to be had.
    """
    try:
        return inheritance.complete(_read(path), path, _read)
    except textfile.UnreadableError as error:
        raise _unreadable(path, error) from None


@uncollected()
def load(path: Path, environ: Mapping[str, str], check: Check | None) -> Stack:
    """Read, check and merge the stack file at `path`; see `orchestrator.stack.load`."""
    document = document_at(path)
    mistakes = _Mistakes(document)
    if not isinstance(document.data, dict):
        if not document.faulty:
            message = f"{quote(document.data)} is not a table"
            mistakes.add([Finding("", message, "begin with version: 1 and network:", "wrong-type")])
        raise StackError(mistakes.diagnostics)
    file = document.folder / path.name
    data, unexpanded = interpolate({key: value for key, value in document.data.items() if key[:2] != "x-"}, environ)
    mistakes.add(unexpanded, cover=True)
    inheritance.anchor(data, document)
    mistakes.add(unsupported.refuse(data), cover=True)
    mistakes.add(rules.nothing_is_null(data), cover=True)
    mistakes.add(_name(data, file))
    mistakes.add(rules.check(data))
    reader = Reader(file.parent, path.parent, document)
    mistakes.add(_configs(data, reader), cover=True)
    mistakes.add(_folders(data, document))
    if check is not None:
        mistakes.add(check(_draft(data, reader)))
    try:
        stack = Stack.model_validate(data)
    except ValidationError as error:
        mistakes.add(diagnose(error, document))
        raise StackError(mistakes.told) from None
    stack = merging.merge(stack, folder=file.parent)
    mistakes.add(rules.check_merged(stack))
    if any(diagnostic.severity == "error" for diagnostic in mistakes.told):
        raise StackError(mistakes.told)
    return _located(stack, file, reader, mistakes.diagnostics)


def _located(stack: Stack, file: Path, reader: Reader, remarks: Sequence[Diagnostic]) -> Stack:
    values = {name: connector.config for name, connector in stack.connectors.items()}
    values |= {name: bot.config for name, bot in stack.bots.items()}
    configs = {name: reader.config(value) for name, value in values.items() if value is not None}
    return stack.with_origin(file, configs, remarks)
