"""What connectors are configured with: TOML files, and tables written into the stack file.

Both may hold keys of an exchange account: no message here holds any of their content.
"""

from __future__ import annotations

import os
import re
import tomllib
from typing import TYPE_CHECKING, Final

from orchestrator.errors import Diagnostic
from orchestrator.stack import pointer as json_pointer
from orchestrator.stack import textfile
from orchestrator.stack.document import Finding, printable
from orchestrator.stack.model import Config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_BYTES: Final = 1 << 20

_PLACE: Final = re.compile(r" \(at (?:line ([0-9]+), column ([0-9]+)|end of document)\)$")
_QUOTED: Final = re.compile(r"'[^']{2,}'|\"[^\"]{2,}\"|\([^)]*\)")


def read(path: Path, shown: str) -> Config:
    """Return the TOML file at `path`; `shown` is how messages name it.

    Raises:
        textfile.UnreadableError: there is no text to be had.
        TomlError: the text is not TOML.
    """
    content = textfile.read(path, MOST_BYTES)
    text = textfile.decode(content)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TomlError(_diagnostic(shown, text, str(error))) from None
    except (ValueError, RecursionError):
        # A number of thousands of digits, or thousands of brackets: Python's limits, not TOML's grammar.
        raise TomlError(_diagnostic(shown, text, "a number is too long, or brackets nest too deeply")) from None
    return Config(table=table, path=path, content=content)


class TomlError(Exception):
    """Raised when a config file is not TOML; carries the place in that file."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def _diagnostic(shown: str, text: str, complaint: str) -> Diagnostic:
    place = _PLACE.search(complaint)
    if place is None:
        line, column = 1, 1
    elif place[1]:
        line, column = int(place[1]), int(place[2])
    else:
        lines = text.split("\n")
        line, column = len(lines), len(lines[-1]) + 1
    reason = _QUOTED.sub("..", _PLACE.sub("", complaint))
    return Diagnostic(shown, line, column, "", f"not valid TOML: {reason}", "correct the file here", "config-toml")


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
    """Reads what units are configured with; a file that several name is read once."""

    def __init__(self, folder: Path, shown_folder: str) -> None:
        self._folder = folder
        self._shown_folder = shown_folder
        self._files: dict[Path, Config | textfile.UnreadableError | TomlError] = {}

    def findings(self, value: object, pointer: str) -> Iterator[Finding | Diagnostic]:
        """Yield what is wrong with the config `value` that stands at `pointer`."""
        if isinstance(value, dict):
            yield from untomlable(value, pointer)
        if not isinstance(value, str) or not value or value.startswith("~") or "\0" in value:
            return
        path = self._path(value)
        known = path in self._files
        outcome = self._outcome(path)
        shown = os.path.join(self._shown_folder, value)  # noqa: PTH118 - as its user would write it
        if isinstance(outcome, TomlError) and not known:
            yield outcome.diagnostic
        elif isinstance(outcome, textfile.UnreadableError):
            if outcome.rule == "file-encoding":
                line, column = outcome.place
                yield Diagnostic(printable(shown), line, column, "", outcome.message, outcome.hint, outcome.rule)
            else:
                yield Finding(pointer, f"{printable(str(path))}: {outcome.message}", outcome.hint, f"config-{outcome.rule}")

    def config(self, value: str | dict[str, object]) -> Config:
        """Return the config of which `findings` had nothing to say."""
        if isinstance(value, dict):
            return Config(table=value)
        outcome = self._outcome(self._path(value))
        if not isinstance(outcome, Config):
            raise outcome
        return outcome

    def _path(self, value: str) -> Path:
        return type(self._folder)(os.path.normpath(self._folder / value))

    def _outcome(self, path: Path) -> Config | textfile.UnreadableError | TomlError:
        outcome = self._files.get(path)
        if outcome is None:
            try:
                outcome = read(path, printable(str(path)))
            except (textfile.UnreadableError, TomlError) as error:
                outcome = error
            self._files[path] = outcome
        return outcome
