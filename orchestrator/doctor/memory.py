"""Room: in /dev/shm for the channels, on the disk for logs and binaries, in memory for keys."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from orchestrator.deployment.model import Kind
from orchestrator.doctor.finding import bad, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from orchestrator.doctor.finding import Case, Finding

A_UNIT: Final = 8_000_000
"""Bytes of /dev/shm to plan for each connector and each bot on it (measured on iceoryx2 0.6.1)."""

_LITTLE: Final = 200_000_000


def shared_memory(case: Case) -> Iterator[Finding]:
    """Judge the room in /dev/shm against what the units that do not run yet need."""
    folder = case.host.shared_memory
    ours = [spec for spec in case.deployment.units if spec.name not in case.running and not spec.external]
    users = [spec for spec in ours if spec.channel is not None or spec.attaches]
    need = A_UNIT * len(users)
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        yield warning(f"there is no {folder}: iceoryx2 cannot work", f"mount -t tmpfs tmpfs {folder}")
        return
    if free >= need:
        planned = f", {_megabytes(need)} are to be planned for what does not run yet" if need else ""
        yield ok(f"{folder} has {_megabytes(free)} free{planned}")
        return
    yield warning(
        f"{folder} has {_megabytes(free)} free, {_megabytes(need)} are to be planned for: "
        "a full one ends connectors with SIGBUS",
        f"mount -o remount,size={_megabytes(_rounded(need))[:-3]}m {folder}; in a container: --shm-size; "
        "`hftstack doctor --repair` removes what dead connectors left",
    )


def _rounded(need: int) -> int:
    return max(2 * need, 1_000_000_000)


def _megabytes(size: int) -> str:
    return f"{size // 1_000_000} MB"


def disk(case: Case) -> Iterator[Finding]:
    """Judge the room where state, logs and binaries are kept."""
    if case.home is None:
        return
    folder = _existing(case.home.state)
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        yield bad(f"cannot look at {folder}: {error.strerror}", "make it readable for this user")
        return
    if free < _LITTLE:
        yield warning(
            f"{_megabytes(free)} are free for {case.home.state}: on a full disk old output is given up for new, and "
            "nothing can be deployed",
            "make room, or move it with HFTSTACK_HOME",
        )
    else:
        yield ok(f"{_megabytes(free)} are free for logs and state in {case.home.state}")


def configs_in_memory(case: Case) -> Iterator[Finding]:
    """Judge whether rendered configs, which may hold keys, stay in memory."""
    units = case.deployment.units
    if case.home is None or not any(s.kind is Kind.CONNECTOR and s.type != "sim" and s.files for s in units):
        return
    kind = _filesystem(_existing(case.home.configs))
    if kind in {"tmpfs", "ramfs", None}:
        yield ok(f"rendered configs are kept in memory, in {case.home.configs}")
        return
    yield warning(
        f"{case.home.configs} is on {kind}, not on a tmpfs: keys in rendered configs reach the disk",
        "set XDG_RUNTIME_DIR, or HFTSTACK_HOME to a folder on a tmpfs",
    )


def _existing(path: Path) -> Path:
    """Return the path, or the nearest folder above it that exists."""
    return next((place for place in (path, *path.parents) if place.exists()), path)


def _filesystem(path: Path) -> str | None:
    import psutil  # noqa: PLC0415 - 15 ms, for stacks with real connectors only

    found: tuple[str, str | None] = ("", None)
    for mount in psutil.disk_partitions(all=True):
        if path.is_relative_to(mount.mountpoint) and len(mount.mountpoint) >= len(found[0]):
            found = (mount.mountpoint, mount.fstype)
    return found[1]
