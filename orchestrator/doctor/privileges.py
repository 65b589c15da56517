"""What the kernel grants whoever starts the units: priorities, limits, and stopping a connector in time."""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING, Final

from orchestrator.deployment.model import Kind
from orchestrator.doctor.finding import bad, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.deployment.model import UnitSpec
    from orchestrator.doctor.finding import Case, Finding

_DEFAULT_SLACK: Final = 50_000
"""Nanoseconds. Below it repeated SIGTERM alone does not end a connector (measured)."""

_SYS_NICE: Final = 23
_SYS_RESOURCE: Final = 24
"""Numbers of capabilities (capabilities(7), include/uapi/linux/capability.h)."""

_REAL_TIME: Final = frozenset({"fifo", "rr"})
_LEAST_NICE: Final = 20


def stopping(case: Case) -> Iterator[Finding]:
    """Judge whether a connector can be made to hear SIGTERM: its timer slack must be widened for that."""
    connectors = [s for s in case.deployment.units if s.kind is Kind.CONNECTOR and not s.external]
    eager = [s for s in connectors if s.resources.timer_slack is not None and s.resources.timer_slack < _DEFAULT_SLACK]
    if not eager and all(spec.type == "sim" for spec in connectors):
        return
    from orchestrator.supervise import process  # noqa: PLC0415 - for stacks that have such connectors

    if _has(_SYS_NICE):
        yield ok("connectors are stopped within a tenth of a second: CAP_SYS_NICE")
        return
    if process.user_namespaces_work():
        yield ok("connectors are stopped within a tenth of a second: each gets a user namespace")
        return
    cure = "run as root, give CAP_SYS_NICE, or allow user namespaces (sysctl user.max_user_namespaces)"
    for spec in eager:
        yield bad("a timer slack below 50us could not be widened again to stop the connector", cure, spec.name)
    if not eager:
        yield warning("connectors hear one SIGTERM in ten; a stop may take seconds, or SIGKILL after its grace", cure)


def resources(case: Case) -> Iterator[Finding]:
    """Judge whether what `resources:` asks for would be granted."""
    for spec in case.deployment.units:
        found = list(_refused(spec, case))
        yield from found
        asked = spec.resources.scheduler or spec.resources.limits or spec.resources.nice is not None
        if asked and not found:
            yield ok("its priority and limits are granted", spec.name)


def _refused(spec: UnitSpec, case: Case) -> Iterator[Finding]:
    wanted = spec.resources
    if wanted.scheduler is not None and wanted.scheduler[0] in _REAL_TIME and not _has(_SYS_NICE):
        most = resource.getrlimit(resource.RLIMIT_RTPRIO)[0]
        if not _within(wanted.scheduler[1], most):
            yield bad(
                f"{wanted.scheduler[0]}:{wanted.scheduler[1]} would be refused: RLIMIT_RTPRIO is {most}",
                f"`@GROUP - rtprio {wanted.scheduler[1]}` in /etc/security/limits.conf, or LimitRTPRIO= in the service",
                spec.name,
            )
    if wanted.nice is not None and not _has(_SYS_NICE) and wanted.nice < os.getpriority(os.PRIO_PROCESS, 0):
        most = resource.getrlimit(resource.RLIMIT_NICE)[0]
        if not _within(_LEAST_NICE - wanted.nice, most):
            yield bad(
                f"nice {wanted.nice} would be refused: RLIMIT_NICE allows no less than {_LEAST_NICE - most}",
                f"`@GROUP - nice {wanted.nice}` in /etc/security/limits.conf, or LimitNICE= in the service",
                spec.name,
            )
    if wanted.oom_score_adj is not None and not _has(_SYS_RESOURCE):
        least = int(case.host.text("proc/self/oom_score_adj") or 0)
        if wanted.oom_score_adj < least:
            yield bad(
                f"an oom_score_adj of {wanted.oom_score_adj} would be refused: ours is {least}",
                "run as root, or OOMScoreAdjust= in the service",
                spec.name,
            )
    for name, value in wanted.limits:
        kernels = case.host.text("proc/sys/fs/nr_open") if name == "nofile" else None
        if kernels is not None and not _within(value, int(kernels)):
            yield bad(
                f"a limit nofile of {_amount(value)} would be refused: the kernel's most is {kernels}",
                f"sysctl fs.nr_open={value}" if value > 0 else f"write nofile: {kernels}",
                spec.name,
            )
            continue
        number = getattr(resource, f"RLIMIT_{name.upper()}", None)
        if number is None or _has(_SYS_RESOURCE):
            continue
        hard = resource.getrlimit(number)[1]
        if not _within(value, hard):
            yield bad(
                f"a limit {name} of {_amount(value)} would be refused: the hard limit is {_amount(hard)}",
                f"`@GROUP hard {name} {_amount(value)}` in /etc/security/limits.conf, or Limit{name.upper()}=",
                spec.name,
            )


def _within(wanted: int, limit: int) -> bool:
    if limit == resource.RLIM_INFINITY:
        return True
    return wanted != resource.RLIM_INFINITY and wanted <= limit


def _amount(value: int) -> str:
    return "unlimited" if value == resource.RLIM_INFINITY else str(value)


def _has(capability: int) -> bool:
    """Tell whether we hold a capability (CapEff in /proc/self/status, proc_pid_status(5))."""
    with open("/proc/self/status", encoding="utf-8") as status:  # noqa: PTH123 - one line of it
        line = next((line for line in status if line.startswith("CapEff:")), "CapEff: 0")
    return bool(int(line.split()[1], 16) >> capability & 1)
