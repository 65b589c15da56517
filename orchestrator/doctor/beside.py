"""The other stacks of this user that run here: what two may not, or should not, have in common."""

from __future__ import annotations

import tomllib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.deployment.model import Kind
from orchestrator.doctor.finding import Finding, Verdict
from orchestrator.errors import HftstackError
from orchestrator.observe import selection
from orchestrator.supervise import records
from orchestrator.venue import beside

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.deployment.homes import StackHome
    from orchestrator.deployment.model import Deployment, UnitSpec
    from orchestrator.doctor.finding import Case


def others(case: Case) -> Iterator[Finding]:
    """Judge channels, their settings, accounts and cores against the stacks that run."""
    if case.home is None:
        return

    def table(spec: UnitSpec) -> Mapping[str, object] | None:
        return _table(case, spec)

    for clash in beside.clashes(case.deployment, _running(case.home), table=table, sharing=case.sharing):
        spec = case.deployment.unit(clash.unit)
        if spec.kind is Kind.BOT and not spec.argv:
            continue  # a sketch, which does not know the channel's settings yet
        yield Finding(Verdict.BAD if clash.refuses else Verdict.WARNING, clash.message, clash.hint, clash.unit)


def _running(home: StackHome) -> Iterator[Deployment]:
    for name in home.home.stacks():
        other = home.home.stack(name)
        deployment = None
        # What is damaged there is that stack's business, and its own `up` says so.
        with suppress(HftstackError):
            if name != home.name and selection.runs(other):
                deployment = records.read_deployment(other.deployment)
        if deployment is not None:
            yield deployment


def _table(case: Case, spec: UnitSpec) -> Mapping[str, object] | None:
    """Return a connector's config as it is deployed, or is about to be; None where it cannot be read."""
    if not spec.files:
        return None
    path = spec.files[0].path
    content = None if case.configs is None else case.configs.kept(path)
    try:
        return tomllib.loads((Path(path).read_bytes() if content is None else content).decode())
    except (OSError, ValueError):
        return None
