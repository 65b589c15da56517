"""URLs as the connectors may get them: only what every parser reads alike.

The connectors hand URLs to two parsers: tungstenite's (http::Uri) for websockets and reqwest's (WHATWG URL, which
turns backslashes into slashes, drops tabs and newlines, and reads 2130706433 and 0x7f.1 as addresses) for REST. What
they could understand differently from each other, or from a reviewer, is refused here.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, NamedTuple

SCHEMES: Final = ("ws", "wss", "http", "https")
ENCRYPTED: Final = ("wss", "https")

_MOST_HOST: Final = 253
_LAST_PORT: Final = 65535
_FOREIGN: Final = re.compile(r"[^!-~]|[\\\"<>^`{|}]")
_SHAPE: Final = re.compile(r"(?P<scheme>[^:/?#]*)://(?P<authority>[^/?#]*)(?P<path>/[^?#]*)?(?P<query>\?[^#]*)?")
_AUTHORITY: Final = re.compile(r"(?:\[(?P<v6>[^\]]*)\]|(?P<name>[^:\[\]]*))(?::(?P<port>.*))?")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


class UrlError(Exception):
    """Raised for what is no URL here; the message completes "KEY ..." and shows nothing of it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


class Url(NamedTuple):
    """A URL in its parts. `host` is in lower case, an IPv6 address without brackets; `path` begins with a slash."""

    scheme: str
    host: str
    port: int | None
    path: str
    query: str

    @property
    def origin(self) -> str:
        """The URL without path and query, which may hold a token."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port is None else f":{self.port}")


def parse(text: str) -> Url:
    """Return the parts of `text`. Raises UrlError."""
    foreign = _FOREIGN.search(text)
    if foreign is not None:
        raise UrlError(_foreign(foreign[0]), "write the URL in plain printable characters, percent-encode the rest")
    match = _SHAPE.fullmatch(text)
    if match is None:
        what = "holds a fragment" if "#" in text and "://" in text else "is not a URL"
        raise UrlError(what, "write scheme://host/path")
    scheme = match["scheme"]
    if scheme not in SCHEMES:
        raise UrlError("has none of the schemes ws, wss, http and https", "write it in lower case")
    authority = match["authority"]
    if "@" in authority:
        raise UrlError("holds a user name", "remove what stands before the @: what follows it is the host")
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None:
        raise UrlError("has no host that can be told from its port", "write scheme://host:port/path")
    return Url(
        scheme,
        host(_named(parts)),
        None if parts["port"] is None else _port(parts["port"]),
        match["path"] or "",
        match["query"] or "",
    )


def _named(parts: re.Match[str]) -> str:
    return parts["name"] if parts["v6"] is None else f"[{parts['v6']}]"


def host(text: str) -> str:
    """Return the host `text`, an IPv6 address without its brackets. Raises UrlError."""
    if text.startswith("["):
        try:
            return str(IPv6Address(text[1:-1] if "%" not in text else ""))
        except AddressValueError:
            raise UrlError("has a host in brackets that is no IPv6 address", "write [::1]") from None
    if not text:
        raise UrlError("has no host", "write scheme://host/path")
    if text != text.lower():
        raise UrlError("has a host with capital letters", "write the host in lower case")
    if text.endswith("."):
        raise UrlError("has a host that ends with a dot", "remove the dot")
    labels = text.split(".")
    if len(text) > _MOST_HOST or not all(map(_LABEL.fullmatch, labels)):
        raise UrlError("has a host that is no name", "use letters, digits, '-' and dots")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(text))
        except AddressValueError:
            raise UrlError("has a number for a host", "write the address as 127.0.0.1") from None
    return text


def bare_host(text: str) -> str:
    """Return the host `text` as `host` does; an IPv6 address may also stand without brackets. Raises UrlError."""
    return host(f"[{text}]" if ":" in text and not text.startswith("[") else text)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or text[0] == "0" or int(text[:6]) > _LAST_PORT:
        raise UrlError("has a port that is no number from 1 to 65535", "correct the port, or remove it with its colon")
    return int(text)


def _foreign(character: str) -> str:
    if character == "\\":
        return "holds a backslash, which some readers take for a slash"
    if character.isspace():
        return "holds white space"
    if not character.isascii():
        return "holds a character that is not ASCII, which may look like another one"
    return "holds a character that no URL has"


def is_loopback(name: str) -> bool:
    """Tell whether a host is this machine: localhost, 127.0.0.0/8 and ::1."""
    if name in {"localhost", "::1"}:
        return True
    try:
        return IPv4Address(name).is_loopback
    except AddressValueError:
        return False
