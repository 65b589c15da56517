"""What has changed since a stack was brought in: what an `up` from here would take up, or choke on.

A file is read only when it, or a link or a folder that leads to it, was touched after the deployment was written;
nothing is parsed but that record.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.deployment import digestkey
from orchestrator.errors import HftstackError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from orchestrator.deployment.homes import StackHome

_MARGIN: Final = 10.0
"""Seconds before the record was written in which a file may have changed that had been read already."""

_MOST_LINKS: Final = 40  # as in path_resolution(7)
_CHUNK: Final = 8 << 20  # more than a stack file may have


def drift(home: StackHome, running: Collection[str], environ: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return what differs from what runs, each as `unit`, `what` and `text`; nothing when nothing runs.

    `what` is file, binary, code, config or environment; `unit` is None for what concerns the whole stack.

    Args:
        home: the stack's home.
        running: the units that have a process.
        environ: the caller's environment.
    """
    if not running:
        return []
    try:
        record = home.deployment
        look = _Look(home, record.stat().st_mtime - _MARGIN)
        return list(_drift(json.loads(record.read_bytes()), set(running), environ, look))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []  # what is damaged there is told by who needs it


def _drift(
    deployed: dict[str, Any], running: set[str], environ: Mapping[str, str], look: _Look
) -> Iterator[dict[str, Any]]:
    for file in deployed.get("sources", ()):
        yield from look.told(None, "file", file)
    for unit in deployed["units"]:
        if unit["name"] not in running or unit.get("external"):
            continue
        if unit["executable"] is not None:
            yield from look.told(unit["name"], "binary", unit["executable"])
        for file in unit.get("code") or ():
            yield from look.told(unit["name"], "code", file)
        for file in unit["files"]:
            yield from look.told(unit["name"], "config", file)
    before = dict(deployed.get("inherited", ()))
    names = [name for name in sorted(before) if environ.get(name) != before[name]]
    if names:
        verb, what = ("are", "them") if len(names) > 1 else ("is", "it")
        text = f"{', '.join(names)} here {verb} not what `up` had: an `up` from here restarts what inherits {what}"
        yield {"unit": None, "what": "environment", "text": text}


class _Look:
    """A look at files; those that were not touched since `written`, in seconds since the epoch, are as they were."""

    def __init__(self, home: StackHome, written: float) -> None:
        self._home = home
        self._written = written
        self._stored = f"{home.binaries}/"
        self._seen: dict[tuple[str, str], str | None] = {}
        self._found: dict[str, os.stat_result] = {}

    def told(self, unit: str | None, what: str, file: dict[str, str]) -> Iterator[dict[str, Any]]:
        """Yield what became of a file, nothing when it is as it was."""
        known = (file["path"], file["sha256"])
        if known not in self._seen:
            self._seen[known] = self._change(*known)
        change = self._seen[known]
        if change is not None:
            yield {"unit": unit, "what": what, "text": f"{file['path']} {change}"}

    def _change(self, path: str, digest: str) -> str | None:
        try:
            touched = self._is_touched(path)
            if not touched or path.startswith(self._stored):  # nothing rewrites what is stored by its digest
                return None
            return None if digest in self._digests(path) else "has changed since `up`"
        except OSError as error:
            return "is gone" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"

    def _is_touched(self, path: str) -> bool:
        """Tell whether another file may lie at an absolute path by now, or another content in it. Raises OSError."""
        ahead = path.split("/")[::-1]
        here, links, touched = "/", 0, False
        while ahead:
            part = ahead.pop()
            if part in {"", "."}:
                continue
            here = os.path.dirname(here) if part == ".." else os.path.join(here, part)  # noqa: PTH118, PTH120 - 50 units
            if here not in self._found:
                self._found[here] = os.lstat(here)
            found = self._found[here]
            # a file that comes or goes moves both times of its folder; what moves the folder moves one
            is_busy = stat.S_ISDIR(found.st_mode) and found.st_mtime_ns == found.st_ctime_ns
            touched |= found.st_ctime >= self._written and not is_busy
            if stat.S_ISLNK(found.st_mode):
                links += 1
                if links > _MOST_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                to = os.readlink(here)  # noqa: PTH115 - likewise
                ahead += to.split("/")[::-1]
                here = "/" if to.startswith("/") else os.path.dirname(here)  # noqa: PTH120 - likewise
        return touched

    def _digests(self, path: str) -> set[str]:
        """Return the digests by which a file may be known: plain, and keyed for one that may hold keys."""
        import hashlib  # noqa: PLC0415 - 3 ms that are paid for what may have changed

        plain = hashlib.sha256()
        with Path(path).open("rb", buffering=0) as file:
            content = file.read(_CHUNK)
            plain.update(content)
            whole = len(content) < _CHUNK
            while chunk := file.read(_CHUNK):
                plain.update(chunk)
                whole = False
        found = {plain.hexdigest()}
        with suppress(HftstackError):
            key = digestkey.existing(self._home.home) if whole else None
            if key is not None:
                found.add(digestkey.digest(key, content))
        return found
