"""From a file to a stack: every step finds all it can, and the mistakes of all steps are reported together."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from orchestrator.errors import Diagnostic, StackError
from orchestrator.printable import printable
from orchestrator.stack import inheritance, interpolation, loader, merging, rules, secrets, textfile
from orchestrator.stack import pointer as json_pointer
from orchestrator.stack.config import Reader
from orchestrator.stack.diagnose import diagnose
from orchestrator.stack.document import SECTIONS, Finding, quote
from orchestrator.stack.draft import Draft
from orchestrator.stack.garbage import uncollected
from orchestrator.stack.model import Stack
from orchestrator.stack.parts import Require
from orchestrator.stack.scalars import is_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from orchestrator.stack.document import Document
    from orchestrator.stack.draft import Check, Origin

MOST_BYTES: Final = 4 << 20
"""A thousand connectors take 0.3 MiB."""


def _read(path: Path, contents: dict[Path, bytes], files: textfile.Files) -> Document:
    file = printable(str(path))
    content = files.read(path, MOST_BYTES)
    contents[Path(os.path.abspath(path))] = content  # noqa: PTH100 - as its user named it: links are not followed
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


def _folders(data: Mapping[str, object], document: Document, files: textfile.Files) -> Iterator[Finding]:
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
            if not files.has_folder(path):
                message = f"{document.path(pointer, path)}: there is no such directory"
                yield Finding(pointer, message, "create it, or correct the path", "directory-missing")


class UnsetError(StackError):
    """Raised when variables that stand for themselves stand where their values are needed; `names` are theirs."""

    def __init__(self, diagnostics: Sequence[Diagnostic], names: Collection[str]) -> None:
        super().__init__(diagnostics)
        self.names = names


class _Mistakes:
    """Collects what the steps find, once each place that an earlier step has covered already.

    What stands at a pointer of `unset` is not known: it is not judged, and where it has to be known that is said.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self.unset: Mapping[str, str] = {}
        self._needed: set[str] = set()
        self._covered = set(document.faulty)
        self.diagnostics = list(document.mistakes)

    def add(self, findings: Iterable[Finding | Diagnostic], *, cover: bool = False, needs_values: bool = False) -> None:
        found = [
            finding for finding in findings if isinstance(finding, Diagnostic) or not self._is_covered(finding.pointer)
        ]
        for finding in found:
            if isinstance(finding, Finding) and finding.pointer in self.unset:
                if not needs_values:
                    continue
                name = self.unset[finding.pointer]
                self._needed.add(name)
                finding = interpolation.unset(finding.pointer, name)  # noqa: PLW2901 - the same, in other words
            self.diagnostics.append(finding if isinstance(finding, Diagnostic) else self._document.diagnostic(finding))
            if cover and isinstance(finding, Finding):
                self._covered.add(finding.pointer)

    @property
    def told(self) -> list[Diagnostic]:
        """Those that the file gives no reason to ignore."""
        return [diagnostic for diagnostic in self.diagnostics if diagnostic.ignored is None]

    def error(self) -> StackError:
        """Return what is to be raised because of them."""
        return UnsetError(self.told, self._needed) if self._needed else StackError(self.told)

    def _is_covered(self, pointer: str) -> bool:
        while pointer:
            if pointer in self._covered:
                return True
            pointer = json_pointer.parent(pointer)
        return pointer in self._covered


class _Origin:
    """The document that a stack was read from, and what judged it."""

    def __init__(
        self,
        document: Document,
        draft: Draft,
        check: Check | None,
        contents: Mapping[Path, bytes],
        environ: Mapping[str, str],
    ) -> None:
        self.contents = contents
        self._environ = environ
        self._document = document
        self._draft = draft
        self._check = check

    def mistakes(self, tables: Mapping[str, Mapping[str, object]]) -> tuple[Diagnostic, ...]:
        """Return the errors that units' filled in `tables` have, at the places of what was filled in."""
        if self._check is None:
            return ()
        configs = {
            name: replace(configured, table=tables.get(name, configured.table))
            for name, configured in self._draft.configs.items()
        }
        mistakes = _Mistakes(self._document)
        mistakes.add(self._check(replace(self._draft, configs=configs)))
        return tuple(diagnostic for diagnostic in mistakes.told if diagnostic.severity == "error")

    def place(self, pointer: str) -> str:
        """Return where a key stands, as file:line:column."""
        file, (line, column) = self._document.place(pointer, on_key=True)
        return f"{file}:{line}:{column}"

    def is_given(self, parts: Sequence[str]) -> bool:
        """Tell whether the environment has a part in what `parts` lead to, a text or a table of texts."""
        return not isinstance(self._environ, interpolation.Itself) and _is_completed(self._document.at(parts))


def _is_completed(value: object) -> bool:
    if isinstance(value, dict | list):
        return any(map(_is_completed, value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) and interpolation.is_completed(value)


def _draft(data: Mapping[str, object], reader: Reader) -> Draft:
    found = {}
    for section in ("bots", "connectors"):  # of two units with one name, the connector is judged
        units = data.get(section)
        for name, unit in units.items() if isinstance(units, dict) else ():
            if isinstance(unit, dict) and "config" in unit:
                found[name] = reader.configured(unit["config"], json_pointer.join((section, name, "config")))
    return Draft(data, {name: configured for name, configured in found.items() if configured is not None})


def document_at(path: Path) -> Document:
    """Return what the stack file at `path` says, with what it extends; its variables are not replaced.

    Raises:
        StackError: there is no document to be had.
    """
    return _document(path, {}, textfile.Disk())


def required(path: Path, environ: Mapping[str, str], files: textfile.Files) -> Require | None:
    """Return what a stack file requires of its repository, however wrong it is otherwise; None where it says nothing.

    `files` is where it is read, with what it extends.
    """
    try:
        data = _document(path, {}, files).data
    except StackError:
        return None
    if not isinstance(data, dict) or not isinstance(data.get("require"), dict):
        return None
    found, _, _ = interpolation.interpolate({"require": data["require"]}, environ)
    try:
        return Require.model_validate(found["require"])
    except ValidationError:
        return None


def _document(path: Path, contents: dict[Path, bytes], files: textfile.Files) -> Document:
    """Return what the stack file at `path` says, and put the bytes of each file that says it into `contents`."""

    def read(path: Path) -> Document:
        return _read(path, contents, files)

    try:
        return inheritance.complete(read(path), path, read)
    except textfile.UnreadableError as error:
        raise _unreadable(path, error) from None


@uncollected()
def load(path: Path, environ: Mapping[str, str], check: Check | None, files: textfile.Files) -> Stack:
    """Read, check and merge the stack file at `path`; see `orchestrator.stack.load`."""
    contents: dict[Path, bytes] = {}
    document = _document(path, contents, files)
    mistakes = _Mistakes(document)
    if not isinstance(document.data, dict):
        if not document.faulty:
            message = f"{quote(document.data)} is not a table"
            mistakes.add([Finding("", message, "begin with version: 1 and network:", "wrong-type")])
        raise StackError(mistakes.diagnostics)
    file = document.folder / path.name
    written = {key: value for key, value in document.data.items() if key[:2] != "x-"}
    data, unexpanded, mistakes.unset = interpolation.interpolate(written, environ)
    mistakes.add(unexpanded, cover=True)
    inheritance.anchor(data, document)
    mistakes.add(rules.nothing_is_null(data), cover=True)
    mistakes.add(_name(data, file))
    mistakes.add(rules.check(data))
    reader = Reader(file.parent, path.parent, document, files)
    mistakes.add(_configs(data, reader), cover=True, needs_values=True)
    mistakes.add(_folders(data, document, files))
    draft = _draft(data, reader)
    mistakes.add(secrets.check(draft))
    if check is not None:
        mistakes.add(check(draft))
    try:
        stack = Stack.model_validate(data)
    except ValidationError as error:
        mistakes.add(diagnose(error, document), needs_values=True)
        raise mistakes.error() from None
    stack = merging.merge(stack, folder=file.parent)
    mistakes.add(rules.check_merged(stack))
    if any(diagnostic.severity == "error" for diagnostic in mistakes.told):
        raise mistakes.error()
    return _located(stack, file, reader, mistakes.diagnostics, _Origin(document, draft, check, contents, environ))


def _located(stack: Stack, file: Path, reader: Reader, remarks: Sequence[Diagnostic], origin: Origin) -> Stack:
    values = {name: connector.config for name, connector in stack.connectors.items()}
    values |= {name: bot.config for name, bot in stack.bots.items()}
    configs = {name: reader.config(value) for name, value in values.items() if value is not None}
    return stack.with_origin(file, configs, remarks, origin)
