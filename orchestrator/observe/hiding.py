"""What a unit was given that nobody else may see, taken out of what is shown of its output."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.deployment.model import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from orchestrator.deployment.model import UnitSpec

_SHORTEST: Final = 4
"""Characters below which a text is no key, and may stand in a log for other reasons."""

_SHORTEST_VARIABLE: Final = 8
"""The same of what is no config, where words like `debug` stand too."""

_HIDDEN: Final = "[hidden]"
_SIMULATED: Final = "sim"


@dataclass(frozen=True, slots=True)
class Secrets:
    """Texts to be kept out of what is shown."""

    values: tuple[str, ...] = ()

    @classmethod
    def of(cls, texts: Iterable[str]) -> Secrets:
        """Return what hides `texts`; each line of one of several lines counts, for a log may hold it escaped."""
        lines = {line.strip() for text in texts for line in text.splitlines()}
        return cls(tuple(sorted((line for line in lines if len(line) >= _SHORTEST), key=len, reverse=True)))

    def hide(self, text: str) -> str:
        """Return the text without them."""
        for value in self.values:
            text = text.replace(value, _HIDDEN)
        return text


def of_unit(spec: UnitSpec) -> Secrets:
    """Return what a unit was given by its config, its environment and its caller's, but for what is known to be public.

    A config that is not there any more hides nothing.
    """
    return Secrets.of([*_of_config(spec), *_of_variables(spec)])


def confidential(table: Mapping[str, object]) -> Iterator[str]:
    """Yield the texts of a connector's config that may be secrets."""
    from orchestrator.stack.canonical import is_plain_url  # noqa: PLC0415 - pydantic, for what did not come up only
    from orchestrator.venue.models import PUBLIC  # noqa: PLC0415 - likewise

    for key, value in table.items():
        for text in _texts(value):
            if not (is_plain_url(text) or (key in PUBLIC and "://" not in text)):
                yield text


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _of_config(spec: UnitSpec) -> Iterator[str]:
    if not spec.files or (spec.kind is not Kind.CONNECTOR and spec.type != _SIMULATED):
        return
    try:
        content = Path(spec.files[0].path).read_bytes()
        table = tomllib.loads(content.decode())
    except (OSError, ValueError):
        return
    # a simulator's own values are no secrets; a keyed digest is that of a config into which some were filled
    if spec.type == _SIMULATED and hashlib.sha256(content).hexdigest() == spec.files[0].sha256:
        return
    yield from confidential(table)


def _of_variables(spec: UnitSpec) -> Iterator[str]:
    from orchestrator.resolve.environment import INHERITED  # noqa: PLC0415 - see above
    from orchestrator.stack.canonical import PUBLIC_ENV  # noqa: PLC0415

    texts = [value for name, value in spec.env if name not in PUBLIC_ENV and name not in INHERITED]
    texts += [word for index, word in enumerate(spec.argv) if f"argv.{index}" in spec.given]
    for text in texts:
        # a path is no key, and stands in every traceback
        if len(text) >= _SHORTEST_VARIABLE and not text.startswith(("/", ".")):
            yield text
