"""The text of a first stack file: complete, commented, valid before anything is filled in.

Keys are references to secrets that may be missing: a connector without keys has market data only.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.stack import interpolation, loader
from orchestrator.stack.model import SIM
from orchestrator.venue.hosts import VENUES, fitting
from orchestrator.venue.models import KEYS, MODELS
from orchestrator.venue.networks import ENDPOINTS
from orchestrator.venue.tables import URL_PATHS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TYPES: Final = (*MODELS, SIM)
"""The connector types of which a table can be written."""

_NO_NETWORK: Final = "local"
_ON_MAINNET: Final = {("bybit", "demo"): frozenset({"public_url", "trade_url"})}
"""Endpoints that a network shares with mainnet: Bybit's demo has a private stream and REST of its own, and no other."""

_CLOSES_DAILY: Final = frozenset({"binancefutures", "binancespot"})
_DAILY: Final = (
    "Binance closes every socket after 24 hours. Its bots hear nothing more although the connector connects again: "
    "this restarts them all before, in good order. `window:` beside it chooses the time of day."
)
_BOTS: Final = (
    "A bot starts when its connectors are connected, and is stopped and started again with them: it hears nothing of a "
    "connector that was restarted."
)
_WHENCE: Final = (
    "Where the keys come from, never what they are; `up` reads them. Instead of env: {file: PATH}, "
    "{command: [pass, show, NAME]} or {credential: NAME} of systemd's. Without them: market data only."
)
_WIDTH: Final = 100
_LONGEST_NAME: Final = 64


class NoHostError(ValueError):
    """Raised when a connector type has no host on a network."""


@dataclass(frozen=True, slots=True)
class FirstConnector:
    """A connector to be written; `type` is one of TYPES."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class FirstBot:
    """A bot to be written; it depends on all connectors. No command means the embedded simulator's bot.

    `cwd` is where it runs, relative to the file's folder, which is the default.
    """

    name: str
    command: tuple[str, ...]
    cwd: str | None = None


@dataclass(frozen=True, slots=True)
class FirstStack:
    """What is decided of a first stack. `source` is relative to the file, None for the default."""

    name: str
    network: str
    connectors: tuple[FirstConnector, ...]
    bots: tuple[FirstBot, ...] = ()
    source: str | None = None


def render(first: FirstStack, file: str) -> str:
    """Return the file's text; `file` is what its commands name. Raises NoHostError."""
    blocks = [
        _head(first, file),
        _source(first),
        [*_comment("For every unit; its own env wins.", ""), 'env: {RUST_LOG: info, NO_COLOR: "1"}'],
        _secrets(first),
        ["connectors:", *_connectors(first)],
        _bots(first),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def has_host(kind: str, network: str) -> bool:
    """Tell whether a connector of a type in TYPES has somewhere to go on a network."""
    return kind == SIM or all(_url(kind, key, network) is not None for key in ENDPOINTS[kind])


def _head(first: FirstStack, file: str) -> list[str]:
    return [
        f"# {first.name}: connectors of HftBacktest and their bots, run by hftstack.",
        f"#     hftstack validate {file}     what a reviewer runs",
        f"#     hftstack up {file}           build, start in order, prove every channel live",
        "# An editor knows the keys after `hftstack schema > stack.schema.json` here, and with this as the first line:",
        "#     yaml-language-server: $schema=stack.schema.json",
        "version: 1",
        f"name: {_key(first.name)}",
        f"network: {first.network}    # mainnet, testnet, demo or local: every URL below must belong to it",
    ]


def _source(first: FirstStack) -> list[str]:
    if all(connector.type == SIM for connector in first.connectors):
        return []
    lines = _comment(
        "The cargo workspace that holds `connector` (nkaz001/hftbacktest). Without this: the nearest one from this "
        "file upwards, else the folder that HFTBACKTEST_ROOT names.",
        "",
    )
    if first.source is None:
        return [*lines, "# source: {path: ../hftbacktest}"]
    return [*lines, f"source: {{path: {_text(first.source)}}}"]


def _connectors(first: FirstStack) -> Iterator[str]:
    for number, connector in enumerate(first.connectors, 1):
        yield f"  {_key(connector.name)}:"
        yield f"    type: {connector.type}"
        yield "    config:"
        if connector.type == SIM:
            yield from _comment("Messages a second, and what they are about.", "      ")
            yield "      rate: 100"
            yield "      symbols: [btcusdt]"
            continue
        yield from _table(connector, number, first.network)
        if connector.type in _CLOSES_DAILY:
            yield from _comment(_DAILY, "    ")
            yield "    restart: {max_age: 23h}"


def _table(connector: FirstConnector, number: int, network: str) -> Iterator[str]:
    for key, field in MODELS[connector.type].model_fields.items():
        yield from _comment(field.description or "", "      ")
        yield f"      {key}: {_value(connector, key, number, network)}"


def _value(connector: FirstConnector, key: str, number: int, network: str) -> str:
    if key in ENDPOINTS[connector.type]:
        url = _url(connector.type, key, network)
        if url is None:
            raise NoHostError(f"{connector.type} has no {key} on {network}")
        return url
    if key in KEYS:
        return f"${{secret:{_secret(connector.name, key)}}}"
    return {"category": "linear", "order_prefix": f"hs{number}-"}[key]


def _url(kind: str, key: str, network: str) -> str | None:
    endpoint = ENDPOINTS[kind][key]
    where = "mainnet" if key in _ON_MAINNET.get((kind, network), ()) else network
    host = next(fitting(VENUES[kind], endpoint, where), None)
    if host is None:
        return None
    return f"{'https' if endpoint == 'rest' else 'wss'}://{host}{URL_PATHS[key]}"


def _secret(name: str, key: str) -> str:
    return f"{name}_{key}"[-_LONGEST_NAME:].lstrip("-_.")


def _secrets(first: FirstStack) -> list[str]:
    keyed = [
        (connector.name, key)
        for connector in first.connectors
        if connector.type != SIM
        for key in MODELS[connector.type].model_fields
        if key in KEYS
    ]
    if not keyed:
        return []
    lines = [*_comment(_WHENCE, ""), "secrets:"]
    for name, key in keyed:
        lines.append(f"  {_key(_secret(name, key))}: {{env: {_variable(name, key)}, optional: true}}")
    return lines


def _variable(name: str, key: str) -> str:
    stem = re.sub(r"[^A-Za-z0-9]", "_", name).upper()
    return f"{'_' if stem[0].isdecimal() else ''}{stem}_{key.upper()}"


def _bots(first: FirstStack) -> list[str]:
    needs = f"[{', '.join(_key(connector.name) for connector in first.connectors)}]"
    if not first.bots:
        example = [
            "bots:",
            "  mm:",
            "    command: [python3, bots/mm.py]    # no shell; relative to this file's folder",
            f"    depends_on: {needs}",
        ]
        return [*_comment(_BOTS, ""), *(f"# {line}" for line in example)]
    lines = _comment(_BOTS, "")
    lines.append("bots:")
    for bot in first.bots:
        lines.append(f"  {_key(bot.name)}:")
        lines.append(f"    command: [{', '.join(map(_text, bot.command))}]" if bot.command else "    type: sim")
        if bot.cwd is not None:
            lines.append(f"    cwd: {_text(bot.cwd)}    # relative to this file's folder; its command is from there")
        lines.append(f"    depends_on: {needs}")
        lines.append("    restart: {policy: never}    # on-failure: its own exit starts it again")
        lines.append("    stop: {grace: 60s}    # it may flatten its positions first")
    return lines


def _comment(text: str, indent: str) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(indent) + len(lines[-1]) + len(word) > _WIDTH:
            lines.append("")
        lines[-1] += f" {word}"
    return [f"{indent}#{line}" for line in lines if line]


def _key(name: str) -> str:
    return name if loader.is_text(name) else json.dumps(name)


def _text(text: str) -> str:
    """Return text in quotes, for a place where variables work, such as a command."""
    return json.dumps(interpolation.escape(text, ("bots", "", "command")), ensure_ascii=False)


def variables(connectors: Sequence[FirstConnector]) -> tuple[str, ...]:
    """Return the variables that hold the connectors' keys."""
    return tuple(
        _variable(connector.name, key)
        for connector in connectors
        if connector.type != SIM
        for key in MODELS[connector.type].model_fields
        if key in KEYS
    )
