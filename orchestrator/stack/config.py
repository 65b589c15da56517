"""What connectors are configured with: TOML files, and tables written into the stack file.

Both may hold keys of an exchange account: no message here holds any of their content.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import Diagnostic
from orchestrator.printable import printable
from orchestrator.stack import merging, templates, textfile
from orchestrator.stack import pointer as json_pointer
from orchestrator.stack.document import Finding
from orchestrator.stack.draft import Configured, TomlFile
from orchestrator.stack.model import Config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.stack.document import Document

MOST_BYTES: Final = 1 << 20

_CONTENT_RULES: Final = {"file-encoding", "config-toml"}
"""What is to be corrected in the config file, not in the stack file."""

_PLACE: Final = re.compile(r" \(at (?:line ([0-9]+), column ([0-9]+)|end of document)\)$")
_QUOTED: Final = re.compile(r"'[^']{2,}'|\"[^\"]{2,}\"|\([^)]*\)")


def read(path: Path, files: textfile.Files | None = None) -> Config:
    """Return the TOML file at `path`.

    Raises:
        textfile.UnreadableError: there is no text to be had, or it is not TOML.
    """
    content = (files or textfile.Disk()).read(path, MOST_BYTES)
    text = textfile.decode(content)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(text, str(error)) from None
    except (ValueError, RecursionError):
        # A number of thousands of digits, or thousands of brackets: Python's limits, not TOML's grammar.
        raise _not_toml(text, "a number is too long, or brackets nest too deeply") from None
    table = {key: templates.parsed(value) for key, value in table.items()}
    return Config(table=table, path=path, content=content)


def _not_toml(text: str, complaint: str) -> textfile.UnreadableError:
    match = _PLACE.search(complaint)
    if match is None:
        place = (1, 1)
    elif match[1]:
        place = (int(match[1]), int(match[2]))
    else:
        lines = text.split("\n")
        place = (len(lines), len(lines[-1]) + 1)
    reason = _QUOTED.sub("..", _PLACE.sub("", complaint))
    return textfile.UnreadableError(f"not valid TOML: {reason}", "correct the file here", "config-toml", place)


def untomlable(value: object, pointer: str) -> Iterator[Finding]:
    """Yield what TOML cannot hold of a table written into the stack file."""
    if value is None:
        yield Finding(
            pointer, "this key has no value, and TOML has no null", 'remove the key, or write ""', "config-null"
        )
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from untomlable(item, json_pointer.child(pointer, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from untomlable(item, json_pointer.child(pointer, index))


class Reader:
    """Reads what units are configured with; a file that several name is read once.

    Args:
        folder: the stack file's folder, absolute.
        shown: the same folder as its user named it.
        document: the stack file, which knows what a path was written as.
        files: where configs are read.
    """

    def __init__(self, folder: Path, shown: Path, document: Document, files: textfile.Files) -> None:
        self._folder = folder
        self._shown = shown
        self._document = document
        self._source = files
        self._files: dict[Path, Config | textfile.UnreadableError] = {}
        self._reported: set[Path] = set()
        self._texts: dict[Path, TomlFile] = {}

    def mistakes(self, value: object, pointer: str) -> Iterator[Finding | Diagnostic]:
        """Yield what is wrong with the config `value` that stands at `pointer`."""
        if isinstance(value, dict):
            yield from untomlable(value, pointer)
        if not isinstance(value, str) or not value or value.startswith("~"):
            return
        path = merging.absolute(self._folder, Path(value))
        outcome = self._outcome(path)
        if isinstance(outcome, Config):
            return
        if outcome.rule not in _CONTENT_RULES:
            message = f"{self._document.path(pointer, path)}: {outcome.message}"
            yield Finding(pointer, message, outcome.hint, f"config-{outcome.rule}")
        elif path not in self._reported:
            self._reported.add(path)
            shown = printable(str(self._shown / value))
            yield Diagnostic(shown, *outcome.place, "", outcome.message, outcome.hint, outcome.rule)

    def config(self, value: str | dict[str, object]) -> Config:
        """Return the config of which `mistakes` had nothing to say."""
        if isinstance(value, dict):
            return Config(table=value)
        outcome = self._outcome(merging.absolute(self._folder, Path(value)))
        if isinstance(outcome, textfile.UnreadableError):
            raise outcome
        return outcome

    def configured(self, value: object, pointer: str) -> Configured | None:
        """Return what stands at `pointer` with its places; None when `mistakes` had something to say of the whole."""
        if isinstance(value, dict):
            return Configured(pointer, value)
        if not isinstance(value, str) or not value or value.startswith("~"):
            return None
        path = merging.absolute(self._folder, Path(value))
        outcome = self._outcome(path)
        if isinstance(outcome, textfile.UnreadableError):
            return None
        if path not in self._texts:
            shown = printable(str(self._shown / value))
            self._texts[path] = TomlFile(shown, textfile.decode(outcome.content or b""))
        return Configured(pointer, outcome.table, self._texts[path])

    def _outcome(self, path: Path) -> Config | textfile.UnreadableError:
        outcome = self._files.get(path)
        if outcome is None:
            try:
                outcome = read(path, self._source)
            except textfile.UnreadableError as error:
                outcome = error
            self._files[path] = outcome
        return outcome
