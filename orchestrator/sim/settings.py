"""What a simulated connector or bot may be told in its TOML file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

_EXIT_CODES: Final = range(256)


class SettingsError(Exception):
    """Raised when a settings file cannot be used; the message names the key and never its value."""


class ConnectorSettings(NamedTuple):
    """Settings of a simulated connector; times are seconds since the channel opened, rates are per second.

    With `arm_file`, the times `*_after` count from when that file is first there instead.

    rate: messages to the bots, in sum over all registered symbols.
    symbols: what the exchange has; empty: whatever a bot registers.
    die_after: end, without cleaning up unless exit_code is 0. silent_after: publish nothing more.
    drop_publisher_after: give NAME/ToBot up and stay alive. ignore_sigterm: that many, or all of them.
    slow_start: seconds before the channel opens. flood_log: lines a second, 0 as fast as possible.
    die_before_live: end before the channel opens, always or in that many starts counted in the file `state`.
    close_stdout: close it once live.
    """

    rate: float = 100.0
    symbols: tuple[str, ...] = ()
    die_after: float | None = None
    exit_code: int = 1
    silent_after: float | None = None
    drop_publisher_after: float | None = None
    ignore_sigterm: float = 0
    slow_start: float = 0.0
    flood_log: float | None = None
    die_before_live: float = 0
    state: str | None = None
    arm_file: str | None = None
    close_stdout: bool = False


class BotSettings(NamedTuple):
    """Settings of a simulated bot; times are seconds since it attached, or since its `arm_file` is there.

    symbols: registered once, at the start. stall_after: read nothing more. linger: seconds from SIGTERM to the exit,
    reading on, as a bot that flattens. The others as for a connector.
    """

    symbols: tuple[str, ...] = ("btcusdt",)
    die_after: float | None = None
    exit_code: int = 1
    stall_after: float | None = None
    linger: float = 0.0
    ignore_sigterm: float = 0
    slow_start: float = 0.0
    flood_log: float | None = None
    die_before_live: float = 0
    state: str | None = None
    arm_file: str | None = None
    close_stdout: bool = False


_Settings = TypeVar("_Settings", ConnectorSettings, BotSettings)
_TOP: Final = ("rate", "symbols")
_INTEGERS: Final = ("exit_code", "ignore_sigterm", "die_before_live")
_FLAGS: Final = ("ignore_sigterm", "die_before_live")


def load(kind: type[_Settings], path: str | None) -> _Settings:
    """Read a settings file; without one, every setting has its default.

    Raises:
        SettingsError: the file cannot be read, is not TOML, or has an unknown key or a value of a wrong type.
    """
    if path is None:
        return kind()
    try:
        document = tomllib.loads(Path(path).read_bytes().decode())
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: not valid TOML") from error
    faults = document.pop("faults", {})
    if not isinstance(faults, dict):
        raise SettingsError(f"{path}: faults: not a table")
    known = set(kind._fields)
    values: dict[str, Any] = {
        **_check(path, "", document, known.intersection(_TOP)),
        **_check(path, "faults.", faults, known.difference(_TOP)),
    }
    limit = values.get("die_before_live", 0)
    if isinstance(limit, int) and limit and "state" not in values:
        raise SettingsError(f"{path}: faults.die_before_live: a number needs faults.state, the file to count in")
    return kind(**values)


def _check(path: str, table: str, values: Mapping[str, object], known: set[str]) -> dict[str, object]:
    checked = {}
    for key, value in values.items():
        if key not in known:
            raise SettingsError(f"{path}: {table}{key}: unknown key, known are {', '.join(sorted(known))}")
        try:
            checked[key] = _convert(key, value)
        except TypeError as error:
            raise SettingsError(f"{path}: {table}{key}: {error}") from error
    return checked


def _convert(key: str, value: object) -> object:
    if key == "close_stdout":
        if not isinstance(value, bool):
            raise TypeError("not true or false")
        return value
    if key == "symbols":
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise TypeError("not a list of names")
        return tuple(value)
    if key in {"state", "arm_file"}:
        if not isinstance(value, str) or not value:
            raise TypeError("not a path")
        return value
    return _number(key, value)


def _number(key: str, value: object) -> float:
    if key in _FLAGS and isinstance(value, bool):
        return float("inf") if value else 0
    allowed = int if key in _INTEGERS else (int, float)
    if isinstance(value, bool) or not isinstance(value, allowed) or not 0 <= value < float("inf"):
        raise TypeError("not a number that fits" if key not in _FLAGS else "neither true, false nor a count")
    if key == "exit_code" and value not in _EXIT_CODES:
        raise TypeError("not an exit code, 0 to 255")
    return value
