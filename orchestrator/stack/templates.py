"""Text with references to secrets, `${secret:NAME}`: kept as it was written until `up` fills it in.

Values are never looked at here: a reviewer need not have them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PREFIX: Final = "secret:"
OPENING: Final = "${" + PREFIX
_REFERENCE: Final = re.compile(r"\$\{secret:([^${}]*)\}")


class Template(str):
    """A text that holds references. As text it reads `${secret:NAME}`, so that equal templates have equal values.

    `parts` are, in turn, text and the name of a secret; the first and the last are text.
    """

    __slots__ = ("parts",)
    parts: tuple[str, ...]

    @classmethod
    def of(cls, parts: tuple[str, ...]) -> Template:
        """Return the template of an odd number of parts."""
        shown = [part if index % 2 == 0 else f"{OPENING}{part}}}" for index, part in enumerate(parts)]
        template = cls("".join(shown))
        template.parts = parts
        return template

    @property
    def names(self) -> tuple[str, ...]:
        """The secrets that it refers to, in order."""
        return self.parts[1::2]

    def filled(self, values: Mapping[str, str]) -> str:
        """Return the text with the secrets' values in it. Raises KeyError."""
        return "".join(part if index % 2 == 0 else values[part] for index, part in enumerate(self.parts))


def parse(text: str) -> str:
    """Return a text of a TOML file, as a template when it holds references; what is not understood stays text."""
    parts = tuple(_REFERENCE.split(text)) if OPENING in text else ()
    if len(parts) > 1 and not any(OPENING in part for part in parts[::2]):
        return Template.of(parts)
    return text


def parsed(value: object) -> object:
    """Return the data of a TOML file with templates in place of the texts that hold references."""
    if isinstance(value, str):
        return parse(value)
    if isinstance(value, dict):
        return {key: parsed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [parsed(item) for item in value]
    return value


def texts(value: object, parts: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the templates in data, and the texts that should have been some, each with what leads to it."""
    if isinstance(value, str):
        if isinstance(value, Template) or OPENING in value:
            yield parts, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts(item, (*parts, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from texts(item, (*parts, index))


def names(value: object) -> frozenset[str]:
    """Return the secrets that data refers to."""
    return frozenset(name for _, text in texts(value) if isinstance(text, Template) for name in text.names)


def filled(value: object, values: Mapping[str, str]) -> object:
    """Return data with the secrets' values in it. Raises KeyError."""
    if isinstance(value, Template):
        return value.filled(values)
    if isinstance(value, dict):
        return {key: filled(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, values) for item in value]
    return value


def taken(value: object, other: object) -> object:
    """Return data whose templates are the texts that stand at their places in `other`, where it has some."""
    if isinstance(value, Template):
        return other if isinstance(other, str) else value
    if isinstance(value, dict):
        there = other if isinstance(other, dict) else {}
        return {key: taken(item, there.get(key)) for key, item in value.items()}
    if isinstance(value, list):
        items = other if isinstance(other, list) and len(other) == len(value) else [None] * len(value)
        return [taken(item, there) for item, there in zip(value, items, strict=True)]
    return value
