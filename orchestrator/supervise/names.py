"""Host names, resolved by a helper thread: the loop never waits for a name server."""

from __future__ import annotations

import ipaddress
import socket
import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_AGAIN: Final = 60.0
_AGAIN_WITHOUT_ANSWER: Final = 1.0


class Names:
    """What each host has resolved to."""

    def __init__(self, resolve: Callable[..., list[tuple[Any, ...]]] = socket.getaddrinfo) -> None:
        """`resolve` does what socket.getaddrinfo does."""
        self._resolve = resolve
        self._latest: dict[str, frozenset[str]] = {}
        self._known: dict[str, frozenset[str]] = {}
        self._due: dict[str, float] = {}
        self._asking: set[str] = set()

    def addresses(self, host: str, now: float) -> frozenset[str]:
        """Return all that `host` has resolved to so far: a connection outlives its name's change.

        Asks again in the background when that is some time ago.
        """
        literal = _literal(host)
        if literal is not None:
            return frozenset({literal})
        if now >= self._due.get(host, 0.0) and host not in self._asking:
            self._asking.add(host)
            self._due[host] = now + (_AGAIN if host in self._known else _AGAIN_WITHOUT_ANSWER)
            try:
                threading.Thread(target=self._ask, args=(host,), name=f"resolve {host}", daemon=True).start()
            except RuntimeError:  # no thread to be had just now
                self._asking.discard(host)
        return self._known.get(host, frozenset())

    def latest(self, host: str, now: float) -> frozenset[str]:
        """Return what `host` resolved to last; asks again as `addresses` does."""
        known = self.addresses(host, now)
        return self._latest.get(host, known)

    def _ask(self, host: str) -> None:
        try:
            answers = self._resolve(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            answers = []
        found = frozenset(str(answer[4][0]).partition("%")[0] for answer in answers)
        if found:
            self._latest[host] = found
            self._known[host] = self._known.get(host, frozenset()) | found
        self._asking.discard(host)


def _literal(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return None
