"""A plan in a file: what was reviewed, sealed, so that `up` does that or refuses. Pure but for the file itself."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from orchestrator.deployment import codec
from orchestrator.deployment.plan import FORMAT, Plan
from orchestrator.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

_SEAL: Final = "sealed"
_DIGEST: Final = "digest"
_OWN: Final = 0o600
_AGAIN: Final = "make it again: hftstack plan --out FILE"


def digest(plan: Plan) -> str:
    """Return what tells this plan from any other; what a machine remembers and remarks is no part of it."""
    steps = tuple(replace(step, blackout=None) for step in plan.steps)
    return hashlib.sha256(codec.encode(replace(plan, steps=steps, notes=())).encode()).hexdigest()


def as_json(plan: Plan) -> dict[str, Any]:
    """Return the object of `plan --format json`, which is a plan file too."""
    data = {**codec.plain(plan), "changes": not plan.is_empty, _DIGEST: digest(plan)}
    return {**data, _SEAL: _sealed(data)}


def write(path: Path, plan: Plan) -> None:
    """Put a plan into a file that nobody else may read. Raises OSError."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWN), "w", encoding="utf-8") as file:
        before = os.fstat(file.fileno())
        if stat.S_ISREG(before.st_mode) and before.st_uid == os.geteuid():
            os.fchmod(file.fileno(), _OWN)
        file.write(json.dumps(as_json(plan), indent=2) + "\n")


def read(path: Path) -> Plan:
    """Return the plan that a file holds.

    Raises:
        UsageError: there is no such file, or it holds no plan.
        RefusedError: it was edited, or a newer hftstack wrote it.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"the plan cannot be read: {error.strerror}", where=str(path), hint=_AGAIN) from None
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict) or not isinstance(data.get("format"), int) or _SEAL not in data:
        raise UsageError("this is no plan", where=str(path), hint=_AGAIN)
    if data["format"] > FORMAT:
        raise RefusedError(
            f"a newer hftstack wrote this plan (format {data['format']}, this one knows {FORMAT})",
            where=str(path),
            hint="use that hftstack, or make the plan again with this one",
        )
    if data["format"] < FORMAT:
        raise RefusedError("an older hftstack wrote this plan", where=str(path), hint=_AGAIN)
    seal = data.pop(_SEAL)
    if seal != _sealed(data):
        raise RefusedError("the plan was edited after it was made", where=str(path), hint=_AGAIN)
    try:
        return codec.build(Plan, {key: value for key, value in data.items() if key not in {"changes", _DIGEST}})
    except codec.DecodeError as error:
        raise UsageError(f"this is no plan: {error}", where=str(path), hint=_AGAIN) from None


def refuse_another(planned: Plan, path: Path, found: Plan) -> None:
    """Raise RefusedError, which names what moved, unless `found` does what `planned`, read from `path`, says."""
    if digest(planned) == digest(found):
        return
    raise RefusedError(
        f"this is not what `up` would do now: {_moved(planned, found)}",
        where=str(path),
        hint="read the new plan: hftstack plan --out FILE; a plan made before a build is made with --build",
    )


def _moved(planned: Plan, found: Plan) -> str:
    if planned.stack != found.stack:
        return f"it is a plan of {planned.stack}, not of {found.stack}"
    if planned.file != found.file:
        return f"it is a plan of {planned.file}"
    before = {step.unit: replace(step, blackout=None) for step in planned.steps}
    after = {step.unit: replace(step, blackout=None) for step in found.steps}
    units = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    if units:
        told = [f"{name}: {_did(before, name)} was planned, now {_did(after, name)}" for name in units[:3]]
        more = f", and {len(units) - len(told)} more" if len(units) > len(told) else ""
        return f"{'; '.join(told)}{more}"
    return "what runs has changed" if planned.old != found.old else "the stack, its files or binaries have changed"


def _did(steps: dict[str, Any], name: str) -> str:
    return f"{steps[name].action} ({steps[name].process})" if name in steps else "nothing"


def _sealed(data: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
