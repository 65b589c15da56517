"""Where keys and values stand in a TOML text.

`tomllib` gives no positions, nor does a maintained library: tomlkit keeps whitespace, not places, and a tree-sitter
grammar would be two C extensions for the column of a message. So this scan finds the places, and nothing else: the text
has been parsed already, and what the scan does not understand has no place.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestrator.stack import pointer as json_pointer

if TYPE_CHECKING:
    from orchestrator.stack.document import Place

_BLANK: Final = re.compile(r"[ \t]*")
_BETWEEN: Final = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_STRING: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|' r"'''.*?'{3,5}|" r'"(?:\\.|[^"\\\n])*"|' r"'[^'\n]*'",
    re.DOTALL,
)
_OTHER: Final = re.compile(r"[^\s,\]}#]+(?: [0-9][^\s,\]}#]*)?")


class Places(NamedTuple):
    """Where each value and each key of a TOML text stands, by JSON pointer; a table has the place of its header."""

    values: dict[str, Place]
    keys: dict[str, Place]

    def near(self, pointer: str, *, on_key: bool) -> Place:
        """Return the place of what `pointer` names, or of the nearest thing around it that stands in the text."""
        first, second = (self.keys, self.values) if on_key else (self.values, self.keys)
        place = first.get(pointer) or second.get(pointer)
        while place is None and pointer:
            pointer = json_pointer.parent(pointer)
            place = self.keys.get(pointer) or self.values.get(pointer)
        return place or (1, 1)


class _LostError(Exception):
    """Raised at what is no TOML that this scan knows."""


class _Scan:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]
        self._lengths: dict[str, int] = {}
        self.places = Places({}, {})

    def run(self) -> None:
        table = ""
        self._skip(_BETWEEN)
        while self._at < len(self._text):
            table = self._header() if self._text[self._at] == "[" else self._pair(table)
            self._skip(_BETWEEN)

    def _header(self) -> str:
        start = self._place()
        many = self._text.startswith("[[", self._at)
        self._at += 2 if many else 1
        pointer = ""
        *above, (name, place) = self._path()
        for part, stands in above:
            pointer = json_pointer.child(pointer, part)
            self.places.keys.setdefault(pointer, stands)
            if pointer in self._lengths:
                pointer = json_pointer.child(pointer, self._lengths[pointer] - 1)
        pointer = json_pointer.child(pointer, name)
        self.places.keys.setdefault(pointer, place)
        if many:
            index = self._lengths.get(pointer, 0)
            self._lengths[pointer] = index + 1
            pointer = json_pointer.child(pointer, index)
        self.places.values.setdefault(pointer, start)
        self._expect("]]" if many else "]")
        return pointer

    def _pair(self, table: str) -> str:
        pointer = table
        for part, place in self._path():
            pointer = json_pointer.child(pointer, part)
            self.places.keys.setdefault(pointer, place)
        self._expect("=")
        self._skip(_BLANK)
        self._value(pointer)
        return table

    def _path(self) -> list[tuple[str, Place]]:
        parts = []
        while True:
            self._skip(_BLANK)
            place = self._place()
            parts.append((self._key(), place))
            self._skip(_BLANK)
            if not self._text.startswith(".", self._at):
                return parts
            self._at += 1

    def _key(self) -> str:
        bare = _BARE.match(self._text, self._at)
        token = self._take(_STRING) if bare is None else self._take(_BARE)
        if bare is not None:
            return token
        return str(tomllib.loads(f"key = {token}")["key"])

    def _value(self, pointer: str) -> None:
        self.places.values[pointer] = self._place()
        opening = self._text[self._at : self._at + 1]
        if opening == "[":
            self._at += 1
            self._members(pointer, "]")
        elif opening == "{":
            self._at += 1
            self._members(pointer, "}")
        else:
            self._take(_STRING if opening in {'"', "'"} else _OTHER)

    def _members(self, pointer: str, closing: str) -> None:
        index = 0
        self._skip(_BETWEEN)
        while not self._text.startswith(closing, self._at):
            if closing == "}":
                self._pair(pointer)
            else:
                self._value(json_pointer.child(pointer, index))
            index += 1
            self._skip(_BETWEEN)
            if self._text.startswith(",", self._at):
                self._at += 1
                self._skip(_BETWEEN)
        self._at += 1

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise _LostError
        self._at = match.end()
        return match[0]

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        if match is not None:
            self._at = match.end()

    def _expect(self, token: str) -> None:
        self._skip(_BLANK)
        if not self._text.startswith(token, self._at):
            raise _LostError
        self._at += len(token)

    def _place(self) -> Place:
        line = bisect_right(self._lines, self._at)
        return line, self._at - self._lines[line - 1] + 1


def scan(text: str) -> Places:
    """Return the places in `text`, which `tomllib` has parsed; those found so far when the scan loses its way."""
    walk = _Scan(text)
    try:
        walk.run()
    except (_LostError, RecursionError, tomllib.TOMLDecodeError):
        return walk.places
    return walk.places
