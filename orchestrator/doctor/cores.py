"""The cores that units are pinned to: they exist, they are isolated and fast, and nobody else has them."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from orchestrator.doctor.finding import bad, ok, warning

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from orchestrator.doctor.finding import Case, Finding

_CPUS = "sys/devices/system/cpu"


def available(case: Case) -> Iterator[Finding]:
    """Judge whether the cores that units are pinned to can be had."""
    have = os.sched_getaffinity(0)
    for spec in case.deployment.units:
        missing = set(spec.resources.cpus or ()) - have - isolated(case)
        if missing:
            yield bad(
                f"cpus {_named(missing)} are not available here",
                f"available: {_named(have | isolated(case))}",
                spec.name,
            )
        elif spec.resources.cpus:
            yield ok(f"cpus {_named(spec.resources.cpus)} are there", spec.name)


def isolated(case: Case) -> frozenset[int]:
    """Return the cores that the kernel keeps other programs off (`isolcpus`)."""
    return _cores(case.host.text(f"{_CPUS}/isolated") or "")


def isolation(case: Case) -> Iterator[Finding]:
    """Judge whether pinned units have their cores for themselves, and at full speed."""
    apart = isolated(case)
    pinned = {spec.name: set(spec.resources.cpus or ()) for spec in case.deployment.units if spec.resources.cpus}
    for name, cores in pinned.items():
        shared = cores - apart
        if shared:
            every = ",".join(map(str, sorted(set().union(*pinned.values()))))
            yield warning(
                f"cpus {_named(shared)} are not isolated: any program may run there too",
                f"boot with isolcpus={every} nohz_full={every} rcu_nocbs={every}",
                name,
            )
        slow = {core: kind for core in sorted(cores) if (kind := _governor(case, core)) not in {None, "performance"}}
        if slow:
            yield warning(
                f"cpu {', '.join(f'{core} is governed by {kind}' for core, kind in slow.items())}: slow when idle",
                f"cpupower -c {','.join(map(str, slow))} frequency-set -g performance",
                name,
            )
        if not shared and not slow:
            yield ok(f"cpus {_named(cores)} are isolated", name)


def shared(case: Case) -> Iterator[Finding]:
    """Tell what the rule shared-core says of the stack: two of its units are pinned to one core."""
    for remark in case.remarks:
        if remark.rule == "shared-core":
            yield warning(remark.message, remark.hint or "", remark.pointer.split("/")[2])


def supervisor(case: Case) -> Iterator[Finding]:
    """Judge whether the supervisor, or whoever would start it, runs on a core that was kept for a unit."""
    apart = isolated(case)
    with suppress(OSError):
        own = os.sched_getaffinity(case.supervisor or 0)
        taken = own & apart
        if taken:
            who = "the supervisor runs" if case.supervisor else "a supervisor started from here would run"
            yield warning(
                f"{who} on isolated cores ({_named(taken)})",
                f"start hftstack with taskset -c {_list(own - apart) or 'CORES'}",
            )
        elif apart:
            yield ok(f"the supervisor keeps off the isolated cores ({_named(apart)})")


def _governor(case: Case, core: int) -> str | None:
    return case.host.text(f"{_CPUS}/cpu{core}/cpufreq/scaling_governor")


def _cores(text: str) -> frozenset[int]:
    """Return the cores of a list as the kernel writes it: 2-3,6 (cpuset(7), "List format")."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if first.isdecimal():
            found.update(range(int(first), int(last if last.isdecimal() else first) + 1))
    return frozenset(found)


def _list(cores: Collection[int]) -> str:
    return ",".join(map(str, sorted(cores)))


def _named(cores: Collection[int]) -> str:
    return ", ".join(map(str, sorted(cores)))
