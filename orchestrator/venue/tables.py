"""A connector's TOML against the model of its type: types, missing keys, keys that the connector would ignore."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from orchestrator.stack.document import key_shown, quote
from orchestrator.venue.hosts import VENUES, fitting
from orchestrator.venue.models import MODELS
from orchestrator.venue.networks import ENDPOINTS
from orchestrator.venue.remark import Remark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

    from orchestrator.stack.draft import Configured

MOST_UNKNOWN: Final = 20
"""Unknown keys that are told one by one."""

_ALIASES: Final[dict[str, tuple[str, ...]]] = {
    "secret_key": ("secret",), "api_secret": ("secret",), "apisecret": ("secret",), "secretkey": ("secret",),
    "private_key": ("secret",), "key": ("api_key",), "apikey": ("api_key",), "access_key": ("api_key",),
    "prefix": ("order_prefix",), "client_order_prefix": ("order_prefix",),
    "url": ("stream_url", "public_url"), "ws_url": ("stream_url", "public_url"),
    "websocket_url": ("stream_url", "public_url"), "stream_url": ("public_url",), "public_url": ("stream_url",),
    "base_url": ("api_url", "rest_url"), "rest_url": ("api_url",), "api_url": ("rest_url",),
    "rest_api_url": ("api_url", "rest_url"),
}  # fmt: skip
"""What others call the keys -> what these connectors do."""

_NOT_READ: Final = {
    "symbols": "remove it: the connector follows the symbols that its bots register",
    "symbol": "remove it: the connector follows the symbols that its bots register",
    "testnet": "remove it: the URLs are the network, and the stack's network: says which they must be",
    "general": "the keys stand at the top, in no table",
}
"""Keys that tutorials of forks show."""

URL_PATHS: Final = {
    "public_url": "/v5/public/linear", "private_url": "/v5/private", "trade_url": "/v5/trade", "rest_url": "",
    "stream_url": "/ws", "api_url": "", "ws_api_url": "/ws-api/v3",
}  # fmt: skip


def check(name: str, kind: str, configured: Configured, network: object) -> Iterator[Remark]:
    """Yield what is wrong with the table of a connector `name` of a known type `kind`, key by key."""
    model = MODELS[kind]
    try:
        model.model_validate(dict(configured.table))
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    else:
        return
    unknown = [str(detail["loc"][0]) for detail in details if detail["type"] == "extra_forbidden"]
    meant = {key: _meant(key, kind) for key in unknown[:MOST_UNKNOWN]}
    for key, near in meant.items():
        message, hint = _unknown(key, kind), _cure(key, near, kind)
        yield Remark("unknown-key", (name,), (key,), message, hint, on_key=True, config=configured)
    if len(unknown) > MOST_UNKNOWN:
        rest = len(unknown) - MOST_UNKNOWN
        hint = f"the keys are {', '.join(model.model_fields)}"
        message, parts = f"there are {rest} more keys like this", (unknown[MOST_UNKNOWN],)
        yield Remark("unknown-key", (name,), parts, message, hint, on_key=True, config=configured)
    for detail in details:
        key = str(detail["loc"][0])
        if detail["type"] == "missing" and key not in meant.values():
            message, hint = f'the key "{key}" is missing', f"add {_example(key, kind, network)}"
            yield Remark("missing-key", (name,), (), message, hint, on_key=True, config=configured)
        elif detail["type"] not in {"missing", "extra_forbidden"}:
            yield _fault(name, configured, key, detail)


def _unknown(key: str, kind: str) -> str:
    return f"a {kind} connector ignores the key {quote(key_shown((key,)))}"


def _meant(key: str, kind: str) -> str | None:
    fields = MODELS[kind].model_fields
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key[:64]).replace("-", "_").lower()
    if plain in _NOT_READ:
        return None
    if plain in fields:
        return plain
    alias = next((name for name in _ALIASES.get(plain, ()) if name in fields), None)
    return alias or next(iter(get_close_matches(plain, fields, 1, cutoff=0.7)), None)


def _cure(key: str, near: str | None, kind: str) -> str:
    if near is not None:
        return f"did you mean {near}?"
    return _NOT_READ.get(key.lower()) or f"remove it; the keys are {', '.join(MODELS[kind].model_fields)}"


def _example(key: str, kind: str, network: object) -> str:
    if key == "category":
        return "category: linear"
    endpoint = ENDPOINTS[kind].get(key)
    if endpoint is None:
        return f'{key}: ""' if key != "order_prefix" else "order_prefix: mm1"
    host = next(fitting(VENUES[kind], endpoint, str(network)), None)
    if host is None:
        return f"{key}: URL"
    return f"{key}: {'https' if endpoint == 'rest' else 'wss'}://{host}{URL_PATHS[key]}"


def _fault(name: str, configured: Configured, key: str, detail: ErrorDetails) -> Remark:
    context = detail.get("ctx", {})
    rule, message, hint = detail["type"], f"{key} {detail['msg']}", context.get("hint")
    if rule == "string_type":
        rule, message, hint = "wrong-type", f"{key} is not text", "put it in quotes"
    elif rule == "literal_error":
        expected = str(context.get("expected", "")).replace("'", "")
        rule, message, hint = "unknown-value", f"{key} is not {expected}", "write linear"
    return Remark(rule, (name,), (key,), message, None if hint is None else str(hint), config=configured)
