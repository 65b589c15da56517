"""All checks, in the order in which they are told; which of them `up` makes, and what it tells of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.doctor import (
    beside,
    channels,
    cleaners,
    clock,
    cores,
    memory,
    privileges,
    processes,
    secrets,
    sessions,
    state,
    tools,
)
from orchestrator.doctor.finding import Finding, Verdict
from orchestrator.errors import HftstackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from orchestrator.doctor.finding import Case


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `name` stays the same for scripts.

    `before_up`: a start may depend on it, so `up` makes it and refuses what is bad. `told`: its warnings are for every
    `up` to tell, too. `only_up`: a shorter form of another one, for `up` alone.
    """

    name: str
    judge: Callable[[Case], Iterator[Finding]]
    before_up: bool = False
    told: bool = False
    only_up: bool = False


CHECKS: Final = (
    Check("other-stacks", beside.others, before_up=True, told=True),
    Check("cores", cores.available, before_up=True),
    Check("stopping", privileges.stopping, before_up=True),
    Check("resources", privileges.resources, before_up=True),
    Check("iceoryx2-folder", channels.roots, before_up=True),
    Check("channel", channels.foreign, before_up=True, only_up=True),
    Check("channel", channels.owners),
    Check("meeting", channels.meeting, before_up=True, told=True),
    Check("shared-memory", memory.shared_memory, before_up=True, told=True),
    Check("configs", memory.configs_in_memory, before_up=True, told=True),
    Check("logout", sessions.logout, before_up=True),
    Check("state", state.readable),
    Check("disk", memory.disk),
    Check("isolation", cores.isolation),
    Check("shared-core", cores.shared),
    Check("supervisor-core", cores.supervisor),
    Check("secrets", secrets.secrets),
    Check("toolchain", tools.toolchain),
    Check("clock", clock.synchronised),
    Check("cleaners", cleaners.cleaners),
    Check("proc", processes.readable),
)


def examine(case: Case, checks: Iterable[Check] | None = None) -> Iterator[tuple[Check, Finding]]:
    """Yield what the checks find; an error that one of them raises is a finding, too."""
    for check in (each for each in CHECKS if not each.only_up) if checks is None else checks:
        try:
            for finding in check.judge(case):
                yield check, finding
        except HftstackError as error:
            yield check, Finding(Verdict.BAD, error.message, error.hint, error.where)
        except OSError as error:
            yield check, Finding(Verdict.WARNING, f"cannot look: {error}", "run it as the user of the stack")
