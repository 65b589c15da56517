"""The key of a home: digests of what holds secrets are made with it, so that a digest alone reveals no weak secret.

Standard library only: `status` compares such digests.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from orchestrator.errors import RefusedError

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.deployment.homes import Home

_BYTES: Final = 32


def existing(home: Home) -> bytes | None:
    """Return the home's key, None when it has none yet. Raises RefusedError when it cannot be read."""
    path = _path(home)
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, error.strerror or "not readable") from None
    if len(key) != _BYTES:
        raise _unusable(path, f"{len(key)} bytes, not {_BYTES}")
    return key


def own(home: Home) -> bytes:
    """Return the home's key, made at random the first time, in a home that was prepared. Raises RefusedError."""
    path = _path(home)
    key = existing(home)
    if key is not None:
        return key
    import secrets  # noqa: PLC0415 - likewise: once in a home's life

    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, secrets.token_bytes(_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass  # another one was quicker: its key is the home's
        finally:
            fresh.unlink()
    except OSError as error:
        raise _unusable(path, error.strerror or "not writable") from None
    key = existing(home)
    if key is None:
        raise _unusable(path, "it was removed at once")
    return key


def digest(key: bytes, content: bytes) -> str:
    """Return the keyed digest of content that may hold secrets: HMAC-SHA-256 in hexadecimal."""
    import hmac  # noqa: PLC0415 - 3 ms that `status` pays only for what may have changed

    return hmac.new(key, content, "sha256").hexdigest()


def _path(home: Home) -> Path:
    return home.state / ".digest.key"  # no stack can have this name


def _unusable(path: Path, why: str) -> RefusedError:
    return RefusedError(
        f"the key of this home's digests cannot be used: {why}",
        where=str(path),
        hint="remove it: a new one is made, and units whose configs hold secrets restart once",
    )
