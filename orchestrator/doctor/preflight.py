"""What this machine must have for a deployment to start: the checks of `doctor` that a start depends on, quietly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.doctor.checks import CHECKS
from orchestrator.doctor.finding import Case, Verdict
from orchestrator.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.deployment.homes import StackHome
    from orchestrator.deployment.model import Deployment
    from orchestrator.resolve.configs import Configs


def check(
    deployment: Deployment,
    home: StackHome,
    running: Mapping[str, int],
    *,
    environ: Mapping[str, str],
    until_logout: bool = False,
    configs: Configs | None = None,
    sharing: frozenset[str] = frozenset(),
) -> tuple[str, ...]:
    """Return warnings. `running` maps the stack's units that run already to their pid.

    `until_logout`: the channels need not survive this user's logout. `configs` and `sharing` are those of a `Case`.

    Raises RefusedError where a start would fail or harm: a channel that somebody else or another stack holds, an order
    prefix that another stack has on the same account, an iceoryx2 directory of another user, cores that do not exist,
    priorities and limits that are not granted, a timer slack that could not be undone to stop the unit, a bot that
    would never meet its connector, shared memory that a logout deletes; and ChannelConfigError for an iceoryx2
    configuration that a bot could not use.
    """
    case = Case(deployment, home, environ, running, configs=configs, sharing=sharing)
    refused: list[RefusedError] = []
    taken: set[str | None] = set()
    warnings = []
    for each in CHECKS:
        if not each.before_up or (until_logout and each.name == "logout"):
            continue
        for finding in each.judge(case):
            if finding.verdict is Verdict.BAD and not (each.only_up and finding.where in taken):
                taken.add(finding.where)
                refused.append(RefusedError(finding.message, where=finding.where, hint=finding.cure))
            elif finding.verdict is Verdict.WARNING and each.told:
                place = f"{finding.where}: {finding.message}: {finding.cure}"
                warnings.append(finding.message if finding.where is None else place)
    if len(refused) == 1:
        raise refused[0]
    if refused:
        raise RefusedError(f"{len(refused)} things hinder a start", detail="\n".join(map(str, refused)))
    return tuple(warnings)
