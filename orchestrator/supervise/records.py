"""Truth on disk: what is deployed, what is wanted, which processes are ours.

`deployment.json`, `intent.json` and `before.json` are written before acting and survive the boot; `units.json` is
valid for this boot only. Each is replaced by rename, so a reader sees the old text or the new one; `units.json`, which
every start waits for, is overwritten in its place.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from orchestrator.deployment import codec
from orchestrator.deployment.codec import DecodeError
from orchestrator.deployment.model import FORMAT, Deployment, Kind
from orchestrator.errors import HftstackError, RefusedError
from orchestrator.supervise.stopping import Stopping  # noqa: TC001 - the codec reads the types

if TYPE_CHECKING:
    from pathlib import Path

_UNITS: Final = 3
_INTENTS: Final = 3
_BEFORE: Final = 2
_UNSEALED: Final = 1
"""Deployments and intents of this format have no seal."""

_SEAL: Final = ',"sealed":"'


class Intent(StrEnum):
    """What is to become of a unit, as the operator, a latch or the unit's own end left it."""

    UP = "up"
    STOPPED = "stopped"
    FAILED = "failed"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class UnitIntent:
    """The intent for one unit, with the reason of a latch."""

    intent: Intent
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Intents:
    """The intents of a stack's units, by name.

    `aside` is set while the stack as a whole is down: what had become of the units that did not run before.
    """

    units: dict[str, UnitIntent] = field(default_factory=dict)
    aside: dict[str, UnitIntent] | None = None
    format: int = _INTENTS


@dataclass(frozen=True, slots=True)
class Before:
    """What ran before a change that is under way, and may be brought back.

    `wanted` are its units that were not stopped, `changed` those that the change adds or restarts, `settling` those of
    the new deployment that are to be ready. `user`, `commit` and `dirty` tell whose change it is.
    """

    deployment: Deployment
    wanted: tuple[str, ...]
    changed: tuple[str, ...]
    settling: tuple[str, ...]
    user: str | None = None
    commit: str | None = None
    dirty: bool | None = None
    format: int = _BEFORE


@dataclass(frozen=True, slots=True)
class UnitRecord:
    """A process of ours. `start` is in clock ticks since boot; the marker tells what it was started from.

    Kind, grace in seconds and dependencies are enough to stop it in order when the stack no longer names it. An
    `external` one is not ours to stop, and has no marker. Not `begun`: this was written before its gate was opened,
    perhaps its program has never run. Not `told`: of a stop that has begun perhaps not even the first signal was sent.
    The first format says of a stop no more than that it was `told`.
    """

    pid: int
    start: int
    marker: str
    log: str
    kind: Kind
    grace: float
    depends_on: tuple[str, ...] = ()
    external: bool = False
    told: bool = False
    begun: bool = True
    stopping: Stopping | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What a unit has spent of its budgets: failures since it was last stable, restarts that its limit counts.

    The instants of `window` are seconds of the monotonic clock.
    """

    failures: int = 0
    window: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Units:
    """The processes of a stack, by unit, of one boot.

    `restarts` counts those of each unit that had any, whether it runs or not; format 1 has none of it. `spent` is of
    each unit that has failed; formats 1 and 2 have none of it.
    """

    boot: str
    units: dict[str, UnitRecord] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)
    spent: dict[str, Spent] = field(default_factory=dict)
    format: int = _UNITS


def seal(record: Deployment | Intents | Before) -> str:
    """Return the text of a record, with a digest of itself: what was edited by hand is told from what we wrote."""
    text = codec.encode(record)
    return f'{text[:-1]}{_SEAL}{_digest(text)}"}}'


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def read_deployment(path: Path) -> Deployment | None:
    """Return the deployment on disk, None when there is none; one of an older format as this one writes it.

    Raises RefusedError for what is damaged, of a newer format, or was edited, HftstackError for what cannot be read.
    """
    text = _read(path)
    if text is None:
        return None
    try:
        return replace(codec.decode(Deployment, _opened(path, text, FORMAT)), format=FORMAT)
    except DecodeError as error:
        raise _damaged(path, error) from None


def read_intents(path: Path) -> Intents:
    """Return the intents on disk, none when the file does not exist. Raises RefusedError as `read_deployment` does."""
    text = _read(path)
    if text is None:
        return Intents()
    try:
        return replace(codec.decode(Intents, _opened(path, text, _INTENTS)), format=_INTENTS)
    except DecodeError as error:
        raise _damaged(path, error) from None


def read_before(path: Path) -> Before | None:
    """Return what an unfinished change began from, None without one. Raises RefusedError as `read_deployment` does."""
    text = _read(path)
    if text is None:
        return None
    try:
        return codec.decode(Before, _opened(path, text, _BEFORE))
    except DecodeError as error:
        raise _damaged(path, error) from None


def read_units(path: Path, boot: str) -> Units:
    """Return the recorded processes of this boot; nothing when there is no record, or none that can be read.

    A lost record costs no more than the counts: the markers in the processes' environment name the processes too.
    """
    try:
        units = codec.decode(Units, path.read_bytes())
    except (OSError, DecodeError):
        return Units(boot)
    if units.boot != boot or not 1 <= units.format <= _UNITS:
        return Units(boot)
    if units.format < _UNITS:  # which said that a stop had begun as soon as its first signal was to be sent
        told = {name: replace(record, told=record.told or _has_begun(record)) for name, record in units.units.items()}
        units = replace(units, units=told, format=_UNITS)
    return units


def _has_begun(record: UnitRecord) -> bool:
    return record.stopping is not None and record.stopping.begun is not None


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None
    except OSError as error:  # the disk, or too many open files: it may be readable again
        raise HftstackError(f"cannot read it: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError as error:
        raise _damaged(path, error) from None


def _opened(path: Path, text: str, known: int) -> str:
    """Return a record's text without its seal. Raises RefusedError when it is not what some hftstack wrote."""
    try:
        found = json.loads(text).get("format")
    except (ValueError, AttributeError, RecursionError):
        raise _damaged(path, "not a JSON object") from None
    if isinstance(found, int) and found > known:
        raise RefusedError(
            f"written by a newer hftstack (format {found}, this one knows {known})",
            where=str(path),
            hint="use the newer hftstack, or `down` with it first",
        )
    if found == _UNSEALED:
        return text
    body, mark, rest = text.rpartition(_SEAL)
    if not mark or rest != f'{_digest(f"{body}}}")}"}}':
        raise _damaged(path, "somebody has edited it")
    return f"{body}}}"


def _damaged(path: Path, error: object) -> RefusedError:
    return RefusedError(
        f"the record is damaged: {error}",
        where=str(path),
        hint="it is not acted upon; move it away and run `up` again: running units are found by their environment",
    )
