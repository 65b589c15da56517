"""Whether we see in /proc what we must see: who owns a channel, and whose process a unit is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestrator.doctor.finding import ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.doctor.finding import Case, Finding


def readable(case: Case) -> Iterator[Finding]:
    """Judge whether /proc shows all processes, and whether the kernel hides a unit's own."""
    hidden = hiding(case.host.text("proc/mounts") or "")
    if hidden is not None and os.geteuid() != 0:
        yield warning(
            f"/proc hides the processes of others ({hidden}): who holds a channel may have no name",
            "mount -o remount,hidepid=0 /proc, or add this user to the group that `gid=` names",
        )
    else:
        yield ok("/proc shows who owns a channel")
    for spec in case.deployment.units:
        if spec.executable is not None and os.geteuid() != 0 and _has_capabilities(spec.executable.path):
            yield warning(
                f"{spec.executable.path} has file capabilities: the kernel hides its environment and files from us",
                "setcap -r removes them; hftstack sets priorities from outside",
                spec.name,
            )


def hiding(mounts: str) -> str | None:
    """Return the option by which /proc hides processes from other users, from /proc/mounts; None when it does not.

    Of several mounts on each other the last one is seen.
    """
    lines = (line.split() for line in reversed(mounts.splitlines()))
    options = next((fields[3] for fields in lines if fields[1:3] == ["/proc", "proc"]), "")
    found = (option for option in options.split(",") if option.startswith("hidepid="))
    return next((option for option in found if option.partition("=")[2] not in {"0", "off"}), None)


def _has_capabilities(path: str) -> bool:
    try:
        return bool(os.getxattr(path, "security.capability"))
    except OSError:
        return False
