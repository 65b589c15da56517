"""The lock file: what a stack was reviewed with, beside its stack file and committed with it. No secret is in it."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from orchestrator.deployment import codec
from orchestrator.errors import RefusedError

FORMAT: Final = 3
"""Version of a lock; whoever adds a key to it, or has a digest tell more, counts up."""

_MOST_BYTES: Final = 1 << 20
_SHORT: Final = 12
_NOTHING: Final = "nothing"
_OF_SOURCE: Final = ("source", "revision", "cargo_lock", "toolchain", "cargo", "iceoryx2")
_IN_WORDS: Final = {"default_features": "default features", "cargo_lock": "Cargo.lock", "rustflags": "RUSTFLAGS"}


@dataclass(frozen=True, slots=True)
class Lock:
    """What decides what runs, but for secrets and for the machine. Digests are SHA-256 in hexadecimal.

    `source` is a repository's URL, None for a folder; `revision` the last commit that changed the workspace, None when
    no git knows it. `binaries` are by program. `configs` are by unit, of their text with secrets left out. A stack that
    needs no cargo has nothing in between.
    `programs` are by unit: the executables of commands that name them by a path, which cargo does not build. `code` is
    by unit and path: what arguments name besides.
    """

    stack: str
    network: str
    source: str | None = None
    revision: str | None = None
    cargo_lock: str | None = None
    toolchain: str | None = None
    cargo: str | None = None
    iceoryx2: str | None = None
    profile: str | None = None
    features: tuple[str, ...] = ()
    default_features: bool = True
    rustflags: tuple[str, ...] = ()
    binaries: dict[str, str] = field(default_factory=dict)
    configs: dict[str, str] = field(default_factory=dict)
    programs: dict[str, str] = field(default_factory=dict)
    code: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT


class Difference(NamedTuple):
    """One thing that is not as it was locked, in a few words each."""

    what: str
    locked: str
    found: str

    def __str__(self) -> str:
        return f"{self.what}: locked {self.locked}, found {self.found}"


def path_of(file: Path) -> Path:
    """Return where the lock of a stack file lies."""
    return file.with_suffix(".lock")


def differences(locked: Lock, found: Lock, *, source: bool = True, binaries: bool = True) -> tuple[Difference, ...]:
    """Return what differs, in the order of the file.

    Args:
        locked: what the lock file says.
        found: what is there.
        source: whether `found` knows its source and toolchain.
        binaries: whether `found` knows its binaries, programs and code.
    """
    skipped = {"format", *(() if source else _OF_SOURCE), *(() if binaries else ("binaries", "programs", "code"))}
    changes: list[Difference] = []
    for entry in dataclasses.fields(Lock):
        if entry.name in skipped:
            continue
        before, after = getattr(locked, entry.name), getattr(found, entry.name)
        what = _IN_WORDS.get(entry.name, entry.name)
        if isinstance(before, dict):
            noun = {"binaries": "binary", "configs": "config", "programs": "program"}.get(entry.name, what)
            changes.extend(
                Difference(f"{noun} of {name}", _word(before.get(name)), _word(after.get(name)))
                for name in sorted(before.keys() | after.keys())
                if before.get(name) != after.get(name)
            )
        elif before != after:
            changes.append(Difference(what, _word(before), _word(after)))
    return tuple(changes)


def _word(value: object) -> str:
    if value is None or value == ():
        return _NOTHING
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if isinstance(value, bool):
        return "on" if value else "off"
    text = str(value)
    return text[:_SHORT] if len(text) >= 40 and not set(text) - set("0123456789abcdef") else text  # noqa: PLR2004 - SHA-1


def read(path: Path) -> Lock:
    """Return the lock at `path`. Raises RefusedError for one that is not there, is newer, or is no lock."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES)
    except FileNotFoundError:
        raise RefusedError(
            "there is no lock", where=str(path), hint="`hftstack lock` writes it: review and commit it"
        ) from None
    except OSError as error:
        raise RefusedError(f"the lock cannot be read: {error.strerror}", where=str(path)) from None
    again = "write it again with `hftstack lock`, and review what has changed"
    try:
        data = json.loads(content)
        version = data.get("format")
    except (ValueError, AttributeError, RecursionError):
        raise RefusedError("this is no lock: it is not a JSON object", where=str(path), hint=again) from None
    if isinstance(version, int) and version > FORMAT:
        raise RefusedError(
            f"the lock is of a newer hftstack (format {version}, this one knows {FORMAT})",
            where=str(path),
            hint="use that hftstack, or write the lock again with this one",
        )
    try:
        return codec.build(Lock, data)
    except codec.DecodeError as error:
        raise RefusedError(f"this is no lock: {error}", where=str(path), hint=again) from None


def write(path: Path, lock: Lock) -> None:
    """Write the lock, whole or not at all. Raises RefusedError."""
    text = json.dumps(codec.plain(lock), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    temporary = None
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.chmod(0o644)
        temporary.rename(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise RefusedError(f"cannot write the lock: {error.strerror}", where=str(path)) from None
