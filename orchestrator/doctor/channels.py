"""The channels: who owns them, what dead processes left, and whether bots and connectors would meet."""

from __future__ import annotations

import os
import pwd
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.channel.location import Location
from orchestrator.channel.nodes import scan_nodes
from orchestrator.channel.probe import Probe
from orchestrator.channel.verdict import Verdict
from orchestrator.doctor.finding import Finding, bad, ok, warning
from orchestrator.doctor.finding import Verdict as Judgement
from orchestrator.resolve.channels import check_meeting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.channel.verdict import Reading
    from orchestrator.deployment.model import UnitSpec
    from orchestrator.doctor.finding import Case

_LASTS: Final = 1.0
"""Seconds for which a bad verdict must last to count: processes start and end."""

_AGAIN: Final = 0.05
_TRANSIENT: Final = frozenset({Verdict.CORRUPT, Verdict.SPLIT, Verdict.STARTING, Verdict.RELEASED})
_REPAIR: Final = "stop the unit, then `hftstack doctor --repair` removes what nobody uses"


def roots(case: Case) -> Iterator[Finding]:
    """Judge whether iceoryx2's folder is ours to use."""
    told = set()
    for spec in case.deployment.units:
        if spec.channel is None or spec.channel.root in told:
            continue
        root = Path(spec.channel.root)
        told.add(spec.channel.root)
        try:
            owner = root.stat().st_uid
        except OSError:
            continue
        if os.geteuid() in {0, owner} or os.access(root, os.W_OK | os.X_OK):
            continue
        name = _user(owner)
        yield bad(
            f"{root} belongs to {name}, who ran iceoryx2 here first",
            f"run as {name}, remove it when nothing of theirs runs, or move root and prefix with "
            "config/iceoryx2.toml in the unit's `cwd`",
            spec.name,
        )


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def owners(case: Case) -> Iterator[Finding]:
    """Judge each channel: whose it is, whether a connector could open it, and what it carries."""
    for spec in case.deployment.units:
        if spec.channel is not None:
            yield _judged(spec, _look(spec, case.running.get(spec.name)), case)


def foreign(case: Case) -> Iterator[Finding]:
    """Judge whether somebody else holds a channel that a connector of the stack would open; one look each."""
    for spec in case.deployment.units:
        if spec.channel is not None and not spec.external:
            reading = _look(spec, case.running.get(spec.name), patient=False)
            if reading.verdict is Verdict.FOREIGN:
                yield _judged(spec, reading, case)


def _look(spec: UnitSpec, running: int | None, *, patient: bool = True) -> Reading:
    assert spec.channel is not None  # noqa: S101 - asked of connectors only
    location = Location(spec.channel.root, spec.channel.prefix)
    probe = Probe(location, spec.channel.name)
    until = time.monotonic() + (_LASTS if patient else 0.0)
    try:
        while True:
            reading = probe.scan(scan_nodes(location), pid=running)
            if reading.verdict not in _TRANSIENT or time.monotonic() >= until:
                return reading
            time.sleep(_AGAIN)
    finally:
        probe.close()


def _judged(spec: UnitSpec, reading: Reading, case: Case) -> Finding:
    assert spec.channel is not None  # noqa: S101 - asked of connectors only
    name, pid = spec.channel.name, case.running.get(spec.name)
    match reading.verdict:
        case Verdict.LIVE:
            version = ".".join(map(str, reading.version or ()))
            bots = f"{len(reading.bots)} bot{'s' if len(reading.bots) != 1 else ''}"
            return ok(f"the channel {name} is live: pid {reading.owner}, iceoryx2 {version}, {bots}", spec.name)
        case Verdict.FOREIGN if spec.external:
            return ok(f"the channel {name} is held by {_holder(reading)}", spec.name)
        case Verdict.FOREIGN:
            return bad(
                f"the channel {name} is held by {_holder(reading)}",
                "stop that process, or give this connector another name",
                spec.name,
            )
        case Verdict.CORRUPT | Verdict.SPLIT:
            what = f"the channel {name} is {reading.verdict.value}: {reading.detail}"
            return Finding(Judgement.BAD, what, _REPAIR if pid is not None else "hftstack doctor --repair", spec.name)
        case Verdict.STALE:
            return ok(f"the channel {name} has remains of dead processes, which the next start removes", spec.name)
        case Verdict.MISSING:
            return ok(f"the channel {name} is free", spec.name)
        case Verdict.UNVERIFIED:
            return warning(
                f"the channel {name} cannot be read: {reading.detail}",
                "run as the user who owns it, with a hftstack that knows its iceoryx2",
                spec.name,
            )
        case _:
            what = f"the channel {name} is {reading.verdict.value}: {reading.detail}"
            return warning(what, f"`hftstack status`; else hftstack restart {spec.name}", spec.name)


def _holder(reading: Reading) -> str:
    from orchestrator.supervise.process import command_line  # noqa: PLC0415 - only to name the culprit

    if reading.owner is None:
        return "a process of another pid namespace"
    return f"pid {reading.owner} ({command_line(reading.owner) or 'command not readable'})"


def meeting(case: Case) -> Iterator[Finding]:
    """Judge whether bots and their connectors would meet.

    Raises RefusedError, ChannelConfigError.
    """
    for text in check_meeting(case.deployment):
        yield warning(text, "give both the same `cwd`, or the same config/iceoryx2.toml")
