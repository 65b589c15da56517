"""What the connectors read of their TOML, as upstream's Rust structs have it (hftbacktest 5f3ec40).

binancefutures: connector/src/binancefutures/mod.rs:87-97; binancespot: connector/src/binancespot/mod.rs:88-100; bybit:
connector/src/bybit/mod.rs:104-114. Upstream ignores keys that it does not know; here they are mistakes. The
descriptions are what the JSON Schemas show.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from orchestrator.stack.scalars import fault
from orchestrator.venue import url

_LINKED: Final = re.compile(r"[A-Za-z0-9_-]*")
_FUTURES_LINKED: Final = re.compile(r"[A-Za-z0-9_.:/-]*")
_UNPRINTABLE: Final = re.compile(r"[^!-~]")
_PEM: Final = "-----BEGIN"

BINANCE_PREFIX: Final = 20
"""Characters: Binance takes 36 for a client order id, 16 of which are the connector's."""
BYBIT_PREFIX: Final = 8
"""Bytes: a longer one ends the connector (bybit/mod.rs:263-268)."""


def _url(text: str, schemes: tuple[str, ...], *, extended: bool) -> str:
    try:
        parsed = url.parse(text)
    except url.UrlError as error:
        raise fault("url", error.message, error.hint) from None
    if parsed.scheme not in schemes:
        raise fault("url-scheme", f"begins with {parsed.scheme}://", f"write {schemes[-1]}://")
    if parsed.path.endswith("/"):
        raise fault("url-end", "ends with a slash", "remove it")
    if extended and parsed.query:
        raise fault("url-end", "has a query, and the connector adds a path to it", "remove the query")
    return text


def _stream(text: str) -> str:
    return _url(text, ("ws", "wss"), extended=False)


def _extended_stream(text: str) -> str:
    return _url(text, ("ws", "wss"), extended=True)


def _optional_stream(text: str) -> str:
    return _stream(text) if text else text


def _rest(text: str) -> str:
    return _url(text, ("http", "https"), extended=True)


def _prefix(text: str, most: int, characters: re.Pattern[str], words: str) -> str:
    if len(text.encode()) > most:
        raise fault("order-prefix", f"is longer than {most} characters", f"use at most {most}")
    if characters.fullmatch(text) is None:
        raise fault("order-prefix", "holds a character that the exchange refuses in an order id", f"use {words}")
    return text


def _futures_prefix(text: str) -> str:
    return _prefix(text, BINANCE_PREFIX, _FUTURES_LINKED, "letters, digits and . : / _ -")


def _spot_prefix(text: str) -> str:
    return _prefix(text, BINANCE_PREFIX, _LINKED, "letters, digits, _ and -")


def _bybit_prefix(text: str) -> str:
    return _prefix(text, BYBIT_PREFIX, _LINKED, "letters, digits, _ and -")


def _key(text: str) -> str:
    if _UNPRINTABLE.search(text):
        raise fault("key-text", "holds white space, or a character that is not ASCII", "copy the key again")
    return text


def _secret(text: str) -> str:
    return text if _PEM in text else _key(text)


_WS: Final = WithJsonSchema({"type": "string", "pattern": r"^wss?://[^\s?#/]+(/[^\s#]*[^\s#/])?$"})
_OPTIONAL_WS: Final = WithJsonSchema({"type": "string", "pattern": r"^$|^wss?://[^\s?#/]+(/[^\s#]*[^\s#/])?$"})
_EXTENDED_WS: Final = WithJsonSchema({"type": "string", "pattern": r"^wss?://[^\s?#/]+(/[^\s?#]*[^\s?#/])?$"})
_HTTP: Final = WithJsonSchema({"type": "string", "pattern": r"^https?://[^\s?#/]+(/[^\s?#]*[^\s?#/])?$"})


def _text(pattern: re.Pattern[str], most: int) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern.pattern}$", "maxLength": most})


Stream = Annotated[str, AfterValidator(_stream), _WS]
ExtendedStream = Annotated[str, AfterValidator(_extended_stream), _EXTENDED_WS]
OptionalStream = Annotated[str, AfterValidator(_optional_stream), _OPTIONAL_WS]
Rest = Annotated[str, AfterValidator(_rest), _HTTP]
FuturesPrefix = Annotated[str, AfterValidator(_futures_prefix), _text(_FUTURES_LINKED, BINANCE_PREFIX)]
SpotPrefix = Annotated[str, AfterValidator(_spot_prefix), _text(_LINKED, BINANCE_PREFIX)]
BybitPrefix = Annotated[str, AfterValidator(_bybit_prefix), _text(_LINKED, BYBIT_PREFIX)]
Key = Annotated[str, AfterValidator(_key), Field(repr=False)]
Secret = Annotated[str, AfterValidator(_secret), Field(repr=False)]


Category = Literal["linear", "inverse", "spot", "option"]
CATEGORIES: Final[tuple[str, ...]] = get_args(Category)


class ConnectorConfig(BaseModel):
    """A connector's TOML."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class BinanceFutures(ConnectorConfig):
    """The TOML of a `binancefutures` connector: Binance USD-M futures."""

    stream_url: ExtendedStream = Field(description="The market data stream; the user data stream is below it.")
    api_url: Rest = Field(description="The REST endpoint, without a path.")
    order_prefix: FuturesPrefix = Field(
        "", description="What client order ids begin with: on one account each connector its own."
    )
    api_key: Key = Field("", description="Without api_key and secret the connector has market data only.")
    secret: Secret = Field("", description="The key's HMAC-SHA256 secret.")


class BinanceSpot(ConnectorConfig):
    """The TOML of a `binancespot` connector: Binance spot."""

    stream_url: Stream = Field(description="The market data stream.")
    api_url: Rest = Field(description="The REST endpoint, without a path.")
    ws_api_url: OptionalStream = Field("", description="The websocket API; required with keys.")
    order_prefix: SpotPrefix = Field(
        "", description="What client order ids begin with: on one account each connector its own."
    )
    api_key: Key = Field("", description="Without api_key and secret the connector has market data only.")
    secret: Secret = Field("", description="The key's Ed25519 private key, PKCS#8 in PEM.")


class Bybit(ConnectorConfig):
    """The TOML of a `bybit` connector."""

    public_url: Stream = Field(description="The market data stream, .../v5/public/CATEGORY.")
    private_url: Stream = Field(description="The account's stream, .../v5/private.")
    trade_url: Stream = Field(description="The order entry stream, .../v5/trade.")
    rest_url: Rest = Field(description="The REST endpoint, without a path.")
    category: Category = Field(description="The products; upstream is written for linear. public_url must agree.")
    order_prefix: BybitPrefix = Field(
        description="What order link ids begin with: on one account each connector its own. 8 bytes at most, or empty."
    )
    api_key: Key = Field(description="May be empty; the private and the trade stream then fail to log in for ever.")
    secret: Secret = Field(description="The key's HMAC-SHA256 secret; may be empty.")


MODELS: Final[dict[str, type[ConnectorConfig]]] = {
    "binancefutures": BinanceFutures,
    "binancespot": BinanceSpot,
    "bybit": Bybit,
}
"""Connector type -> what its TOML holds."""

KEYS: Final = frozenset({"api_key", "secret"})
"""The fields that hold an account's keys."""

PUBLIC: Final = frozenset(name for model in MODELS.values() for name in model.model_fields) - KEYS
"""The fields that a reviewer may, and must, see."""
