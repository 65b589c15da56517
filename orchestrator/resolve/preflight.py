"""What this machine must have for a deployment to start. Looked at before `up` touches anything."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.channel.location import Location
from orchestrator.channel.nodes import scan_nodes
from orchestrator.channel.probe import Probe
from orchestrator.channel.verdict import Verdict
from orchestrator.deployment.model import Kind
from orchestrator.errors import RefusedError
from orchestrator.resolve.channels import check_meeting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.deployment.homes import StackHome
    from orchestrator.deployment.model import Deployment, UnitSpec

_A_UNIT: Final = 8_000_000
"""Bytes of /dev/shm to plan for each connector and each bot on it (measured on iceoryx2 0.6.1)."""

_SHARED: Final = "/dev/shm"  # noqa: S108 - where iceoryx2 puts its segments
_DEFAULT_SLACK: Final = 50_000
"""Nanoseconds. Below it repeated SIGTERM alone does not end a connector (measured)."""


def check(deployment: Deployment, home: StackHome, running: Mapping[str, int]) -> tuple[str, ...]:
    """Return warnings. `running` maps the stack's units that run already to their pid.

    Raises RefusedError where a start would fail or harm: a channel that somebody else holds, an iceoryx2 directory of
    another user, cores that do not exist, a timer slack that could not be undone to stop the unit, a bot that would
    never meet its connector; and ChannelConfigError for an iceoryx2 configuration that a bot could not use.
    """
    for spec in deployment.units:
        _check_cores(spec)
        _check_slack(spec)
        if spec.channel is not None:
            _check_root(spec)
            if not spec.external:
                _check_owner(spec, running.get(spec.name))
    return (*check_meeting(deployment), *_shared_memory(deployment, running), *_runtime(deployment, home))


def _check_cores(spec: UnitSpec) -> None:
    wanted = set(spec.resources.cpus or ())
    missing = wanted - os.sched_getaffinity(0)
    if missing:
        raise RefusedError(
            f"cpus {', '.join(map(str, sorted(missing)))} are not available here",
            where=spec.name,
            hint=f"available: {', '.join(map(str, sorted(os.sched_getaffinity(0))))}",
        )


def _check_slack(spec: UnitSpec) -> None:
    slack = spec.resources.timer_slack
    if spec.kind is not Kind.CONNECTOR or slack is None or slack >= _DEFAULT_SLACK:
        return
    from orchestrator.supervise import process  # noqa: PLC0415 - for stacks that ask for it

    if not process.may_soften_others() and not process.user_namespaces_work():
        raise RefusedError(
            "a timer slack below 50us could not be widened again to stop the connector",
            where=spec.name,
            hint="run as root, give CAP_SYS_NICE, or allow user namespaces (sysctl user.max_user_namespaces)",
        )


def _check_root(spec: UnitSpec) -> None:
    assert spec.channel is not None  # noqa: S101 - asked of connectors only
    root = Path(spec.channel.root)
    try:
        owner = root.stat().st_uid
    except OSError:
        return
    if os.geteuid() not in {0, owner} and not os.access(root, os.W_OK | os.X_OK):
        try:
            name = pwd.getpwuid(owner).pw_name
        except KeyError:
            name = f"user {owner}"
        raise RefusedError(
            f"{root} belongs to {name}, who ran iceoryx2 here first",
            where=spec.name,
            hint=f"run as {name}, remove it when nothing of theirs runs, or move root and prefix with "
            "config/iceoryx2.toml in the unit's `cwd`",
        )


def _check_owner(spec: UnitSpec, running: int | None) -> None:
    assert spec.channel is not None  # noqa: S101 - asked of connectors only
    location = Location(spec.channel.root, spec.channel.prefix)
    probe = Probe(location, spec.channel.name)
    try:
        reading = probe.scan(scan_nodes(location), pid=running)
    finally:
        probe.close()
    if reading.verdict is Verdict.FOREIGN:
        from orchestrator.supervise.process import command_line  # noqa: PLC0415 - only to name the culprit

        who = "a process of another pid namespace"
        if reading.owner is not None:
            who = f"pid {reading.owner} ({command_line(reading.owner) or 'command not readable'})"
        raise RefusedError(
            f"the channel {spec.channel.name} is held by {who}",
            where=spec.name,
            hint="stop that process, or give this connector another name",
        )


def _shared_memory(deployment: Deployment, running: Mapping[str, int]) -> tuple[str, ...]:
    ours = [spec for spec in deployment.units if spec.name not in running and not spec.external]
    users = [spec for spec in ours if spec.channel is not None or spec.attaches]
    need = _A_UNIT * len(users)
    try:
        free = shutil.disk_usage(_SHARED).free
    except OSError:
        return (f"there is no {_SHARED}: iceoryx2 cannot work",)
    if free >= need:
        return ()
    room = f"has {free // 1_000_000} MB free, {need // 1_000_000} MB are to be planned for"
    return (f"{_SHARED} {room}: a full one ends connectors with SIGBUS",)


def _runtime(deployment: Deployment, home: StackHome) -> tuple[str, ...]:
    if not any(spec.kind is Kind.CONNECTOR and spec.type != "sim" and spec.files for spec in deployment.units):
        return ()
    kind = _filesystem(home.configs)
    if kind in {"tmpfs", "ramfs", None}:
        return ()
    return (f"{home.configs} is on {kind}, not on a tmpfs: keys in rendered configs reach the disk",)


def _filesystem(path: Path) -> str | None:
    import psutil  # noqa: PLC0415 - 15 ms, for stacks with real connectors only

    found: tuple[str, str | None] = ("", None)
    for mount in psutil.disk_partitions(all=True):
        if path.is_relative_to(mount.mountpoint) and len(mount.mountpoint) >= len(found[0]):
            found = (mount.mountpoint, mount.fstype)
    return found[1]
