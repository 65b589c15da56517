"""The whole environment of a unit: nothing of the caller's but what a program cannot do without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.resolve.error import ResolveError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from orchestrator.stack.model import Stack

INHERITED: Final = ("PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR", "XDG_RUNTIME_DIR")
CHANNEL_CONFIG: Final = "HFTBACKTEST_CHANNEL_CONFIG"
"""Path of a TOML file with buffer_size and max_bots (hftbacktest/src/live/ipc/config.rs)."""


def unit_environment(
    caller: Mapping[str, str], own: Mapping[str, str], *, channel_config: Path | None = None
) -> tuple[tuple[str, str], ...]:
    """Return a unit's environment, sorted by key: what it inherits, the channel's config, and over them its own.

    Raises ResolveError for text that cannot be handed to a process or kept as JSON; names the variable only.
    """
    merged = {key: caller[key] for key in INHERITED if key in caller}
    if channel_config is not None:
        merged[CHANNEL_CONFIG] = str(channel_config)
    merged.update(own)
    for key, value in merged.items():
        if not _is_text(value):
            origin = "env" if key in own else "the environment"
            raise ResolveError(f"the variable {key} of {origin} is not text: a NUL byte, or not UTF-8")
    return tuple(sorted(merged.items()))


def secret_variables(stack: Stack) -> frozenset[str]:
    """Return the variables that hold secrets of a stack: no program but hftstack need see them."""
    return frozenset(secret.env for secret in stack.secrets.values() if secret.env is not None)


def _is_text(value: str) -> bool:
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:
        return False
