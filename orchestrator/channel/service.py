"""An iceoryx2 service's identity: its name's hash and its static config."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass


def service_hash(name: str) -> str:
    """Return the hash that names a publish-subscribe service's files.

    SHA-1 over the messaging pattern's number, 0, and the name (iceoryx2 0.6.1, src/service/service_id.rs; the same up
    to 0.10).
    """
    return hashlib.sha1(b"0" + name.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class StaticConfig:
    """What a probe needs of a static config.

    `dynamic` is the key that ends the name of the dynamic segment: the hash, since 0.10 the service's unique id.
    Capacities are numbers of ports, `version` is that of iceoryx2, written since 0.10; None where the file does not
    say.
    """

    name: str
    dynamic: str
    max_publishers: int | None
    max_subscribers: int | None
    version: tuple[int, int, int] | None = None


def parse_static_config(content: bytes, digest: str) -> StaticConfig:
    """Read a static config file; `digest` is the service's hash.

    Raises:
        ValueError: the content is not a static config.
    """
    try:
        document = tomllib.loads(content.decode())
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    name = document.get("service_name")
    if not isinstance(name, str):
        raise ValueError("no service_name")  # noqa: TRY004 - one error for one malformed file
    pattern = _table(document, "messaging_pattern")
    # 0.6 writes one table with the pattern's name inside, later versions a table named by the pattern
    pattern = _table(pattern, "PublishSubscribe") or pattern
    identity = _table(document, "unique_service_id")
    payload, unique = (_number(identity, key) for key in ("payload_value", "unique_value"))
    return StaticConfig(
        name=name,
        dynamic=digest if payload is None or unique is None else str(payload + (unique << 64)),
        max_publishers=_number(pattern, "max_publishers"),
        max_subscribers=_number(pattern, "max_subscribers"),
        version=_version(_table(document, "iceoryx2_version")),
    )


def _version(table: dict[str, object]) -> tuple[int, int, int] | None:
    major, minor, patch = (_number(table, key) for key in ("major", "minor", "patch"))
    return None if major is None or minor is None or patch is None else (major, minor, patch)


def _table(parent: dict[str, object], key: str) -> dict[str, object]:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def _number(parent: dict[str, object], key: str) -> int | None:
    value = parent.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
