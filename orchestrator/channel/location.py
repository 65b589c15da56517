"""Where iceoryx2 keeps its files, as a process started in a given directory would find it."""

from __future__ import annotations

import os
import pwd
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import HftstackError

if TYPE_CHECKING:
    from collections.abc import Callable

_BESIDE: Final = "config/iceoryx2.toml"
_SYSTEM: Final = Path("/etc/iceoryx2/iceoryx2.toml")
_FIXED: Final = (
    ("node", "directory", "nodes"),
    ("node", "monitor-suffix", ".node_monitor"),
    ("node", "service-tag-suffix", ".service_tag"),
    ("service", "directory", "services"),
    ("service", "data-segment-suffix", ".data"),
    ("service", "static-config-storage-suffix", ".service"),
    ("service", "dynamic-config-storage-suffix", ".dynamic"),
    ("service", "connection-suffix", ".connection"),
)


class ChannelConfigError(HftstackError):
    """Raised when the iceoryx2 configuration that a process would use cannot be followed."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Location:
    """Root directory and file prefix of iceoryx2; `source` is the config file that said so, None for the defaults."""

    root: str = "/tmp/iceoryx2"  # noqa: S108 - iceoryx2's default, not a temporary file of ours
    prefix: str = "iox2_"
    source: str | None = None


def locate(cwd: Path, home: Path | None, *, modern: bool = False) -> Location:
    """Return the location that iceoryx2 uses in a process with that working directory.

    `home` is the home directory from the password database, not $HOME. The first file found wins: config/iceoryx2.toml
    under `cwd`, .config/iceoryx2/iceoryx2.toml under `home`, /etc/iceoryx2/iceoryx2.toml; no environment variable moves
    anything (strace of 0.6.1, 0.7.0, 0.8.1, 0.9.3 and 0.10.0). 0.6 takes the root from root-path-unix and ends where
    that is missing, later versions take it from root-path and know nothing of root-path-unix (measured).
    `modern`: the process is known to have one of the later versions.

    Raises:
        ChannelConfigError: the file cannot be read, is not TOML, or moves what the probe expects at a fixed place.
    """
    candidates = [cwd / _BESIDE, _SYSTEM]
    if home is not None:
        candidates.insert(1, home / ".config/iceoryx2/iceoryx2.toml")
    for file in candidates:
        try:
            content = file.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise ChannelConfigError(
                f"the iceoryx2 configuration cannot be read: {error.strerror}",
                where=str(file),
                hint="iceoryx2 reads this file in every process started there: make it readable or remove it",
            ) from error
        return _parse(file, content, cwd, modern=modern)
    return Location()


def locate_beside(cwd: Path, read: Callable[[Path], bytes | None], *, modern: bool = False) -> Location:
    """Return the location that the configuration under `cwd` gives, no matter what a machine has elsewhere.

    `read` returns the content of a file, None where there is none. Raises ChannelConfigError.
    """
    file = cwd / _BESIDE
    content = read(file)
    return Location() if content is None else _parse(file, content, cwd, modern=modern)


def locate_own(cwd: Path, *, modern: bool = False) -> Location:
    """Return the location that iceoryx2 uses in a process that this user starts in `cwd`. Raises ChannelConfigError."""
    try:
        home = Path(pwd.getpwuid(os.getuid()).pw_dir)  # not $HOME: iceoryx2 asks the password database
    except KeyError:
        home = None
    return locate(cwd, home, modern=modern)


def _parse(file: Path, content: bytes, cwd: Path, *, modern: bool) -> Location:
    try:
        document = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise ChannelConfigError(
            f"the iceoryx2 configuration is not valid TOML: {error}",
            where=str(file),
            hint="iceoryx2 0.6 ends every process that reads this file: correct or remove it",
        ) from error
    settings = _table(file, document, "global")
    for table, key, fixed in _FIXED:
        value = _text(file, _table(file, settings, table), key)
        if value is not None and value != fixed:
            raise ChannelConfigError(
                f"global.{table}.{key} is {value!r}, hftstack can only follow {fixed!r}",
                where=str(file),
                hint="move channels with global.root-path-unix and global.prefix instead",
            )
    old, new = (_text(file, settings, key) for key in ("root-path-unix", "root-path"))
    if old is not None and new is not None and _normal(old, cwd) != _normal(new, cwd):
        raise ChannelConfigError(
            f"root-path-unix is {old!r} and root-path is {new!r}: iceoryx2 0.6 and later versions would not meet",
            where=str(file),
            hint="give both the same directory",
        )
    root, prefix = new if modern else old or new, _text(file, settings, "prefix")
    default = Location()
    return Location(
        root=_normal(root, cwd) if root else default.root,
        prefix=default.prefix if prefix is None else prefix,
        source=str(file),
    )


def _normal(root: str, cwd: Path) -> str:
    return str(cwd / root)


def _table(file: Path, parent: dict[str, object], key: str) -> dict[str, object]:
    value = parent.get(key, {})
    if not isinstance(value, dict):
        raise ChannelConfigError(f"{key} is not a table", where=str(file))
    return value


def _text(file: Path, parent: dict[str, object], key: str) -> str | None:
    value = parent.get(key)
    if value is not None and not isinstance(value, str):
        raise ChannelConfigError(f"{key} is not a string", where=str(file))
    return value
