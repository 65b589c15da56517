"""A connector's TOML file, judged before the connector reads it: upstream prints the whole file when it cannot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.runner.errors import ConnectorRunnerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "binancefutures": ("stream_url", "api_url"),
    "binancespot": ("stream_url", "api_url"),
    "bybit": (
        "public_url",
        "private_url",
        "trade_url",
        "rest_url",
        "api_key",
        "secret",
        "category",
        "order_prefix",
    ),
}
"""Keys without which upstream's connector ends, its whole config in the log (5f3ec40, connector/src/*/mod.rs)."""

_TEXTS: Final = frozenset({"ws_api_url", "api_key", "secret", "order_prefix", *sum(_REQUIRED.values(), ())})
_SECRETS: Final = ("api_key", "secret")
_SHORTEST: Final = 4
"""Characters below which a text is no key, and may stand in a log for other reasons."""

_HIDDEN: Final = "[hidden]"


@dataclass(frozen=True, slots=True)
class Secrets:
    """The keys in a connector's file, to be kept out of what is shown of its output."""

    values: tuple[str, ...] = ()

    def hide(self, text: str) -> str:
        """Return the text without them."""
        for value in self.values:
            text = text.replace(value, _HIDDEN)
        return text


def check(path: Path, connector_type: str) -> Secrets:
    """Return the keys in a file that a connector of this type can read.

    Raises ConnectorRunnerError with `file:line:column`, never with any of the content.
    """
    from orchestrator.stack import config, textfile  # noqa: PLC0415 - pydantic, which an import alone need not pay

    try:
        table = config.read(path).table
    except textfile.UnreadableError as error:
        line, column = error.place
        raise ConnectorRunnerError(error.message, where=f"{path}:{line}:{column}", hint=error.hint) from None
    missing = [key for key in _REQUIRED.get(connector_type, ()) if key not in table]
    if missing:
        raise ConnectorRunnerError(
            f"a {connector_type} connector needs {', '.join(missing)}", where=str(path), hint="add what is missing"
        )
    for key in () if connector_type not in _REQUIRED else _TEXTS:
        if key in table and not isinstance(table[key], str):
            raise ConnectorRunnerError(f"{key} is not a text", where=str(path), hint=f'write {key} = "..."')
    return Secrets(tuple(sorted(set(_secrets(table)), key=len, reverse=True)))


def _secrets(table: Mapping[str, object]) -> Iterator[str]:
    for key in _SECRETS:
        value = table.get(key)
        if isinstance(value, str):
            yield from (line for line in (part.strip() for part in value.splitlines()) if len(line) >= _SHORTEST)
