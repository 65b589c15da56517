"""What a stack's way from one git revision to another would do where the first one runs; no machine is looked at."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from orchestrator import venue
from orchestrator.build import BuildResult, StoredBinary
from orchestrator.channel.location import ChannelConfigError, locate_beside
from orchestrator.deployment import codec, digestkey
from orchestrator.deployment.changes import UNBUILT_FOLDER, differing
from orchestrator.deployment.homes import Home
from orchestrator.deployment.plan import Plan, plan
from orchestrator.engine.effect import digest
from orchestrator.engine.planning import ignored
from orchestrator.engine.revision import Revision
from orchestrator.engine.showing import shown
from orchestrator.errors import StackError, UsageError
from orchestrator.resolve import build_request, resolve
from orchestrator.resolve.commands import Unlooked
from orchestrator.resolve.configs import Configs
from orchestrator.stack.model import Connector
from orchestrator.stack.parts import SECRET_SOURCES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.build import BuildRequest
    from orchestrator.channel.location import Location
    from orchestrator.deployment.homes import StackHome
    from orchestrator.deployment.model import Deployment
    from orchestrator.stack.model import Stack

_NOWHERE: Final = Home(Path("/nowhere/state"), Path("/nowhere/run"), 0)
"""The home of what is never brought up."""


def between(old: str, new: str, file: Path, environ: Mapping[str, str]) -> Plan:
    """Return what changes at a stack file between two revisions, as if the whole of the first one ran.

    Secrets are not read: they are compared by what refers to them, and by where they come from.

    Raises:
        UsageError: there is no such revision, or neither has the file.
        StackError: the stack of a revision is not valid.
        ResolveError: a command, a URL or a variable does not fit.
        ChannelConfigError: an iceoryx2 config in a revision is unusable.
    """
    key = secrets.token_bytes(32)
    path = Path(os.path.relpath(file))
    sides = []
    for name in (old, new):
        with Revision(name, file.parent, environ) as revision:
            sides.append(_Side(revision, path, environ, key) if revision.has(file) else None)
    before, after = sides
    known = after or before
    if known is None:
        raise UsageError(f"neither {old} nor {new} has this file", where=str(path), hint="check the path")
    deployments = [None if side is None else side.deployment for side in sides]
    target = deployments[1] or replace(known.deployment, units=())
    alive = () if before is None else [u.name for u in before.deployment.units]

    stand_ins = {text for side in sides if side is not None for text in side.stand_ins.values()}

    def read(config: str) -> bytes | None:
        contents = (side.configs.kept(config) for side in sides if side is not None)
        return next((content for content in contents if content is not None), None)

    return plan(
        deployments[0],
        target,
        alive=alive,
        shown=shown(key, read, *deployments, stand_ins=stand_ins),
        digests=(None if deployments[0] is None else digest(key, deployments[0]), digest(key, target)),
        besides=() if before is None or after is None else differing(before.settings, after.settings),
        notes=(*_notes(before, after, old, new), *(map(ignored, after.stack.ignored) if after else ())),
    )


class _Side:
    """A stack in a revision."""

    def __init__(self, revision: Revision, path: Path, environ: Mapping[str, str], key: bytes) -> None:
        try:
            self.stack: Stack = venue.load_anywhere(path, environ, files=revision)
        except StackError as error:
            raise StackError(
                [replace(item, file=f"{revision.name}:{item.file}") for item in error.diagnostics]
            ) from None
        home = _NOWHERE.stack(self.stack.name)
        self.configs = Configs(home.configs)
        self.request = build_request(self.stack, home=home)
        self.said = {} if self.request is None else _said(self.request, key)
        self.stand_ins = _stand_ins(self.stack)
        self.settings = _settings(self.stack, key)
        self.deployment: Deployment = resolve(
            self.stack,
            home=home,
            binaries=None if self.request is None else _stand_in(self.said, home, self.request),
            environ=environ,
            configs=self.configs,
            stand_ins=self.stand_ins,
            commands=Unlooked("", own=revision.own),
            locate=partial(_located, revision),
        )


def _located(revision: Revision, cwd: Path, *, modern: bool) -> Location:
    try:
        return locate_beside(cwd, revision.own, modern=modern)
    except ChannelConfigError as error:
        error.where = f"{revision.name}:{error.where}"
        raise


def _stand_ins(stack: Stack) -> dict[str, str]:
    """Return what a reviewer may see of each secret: what refers to it, and where it comes from."""
    found = {}
    for name, secret in _sources(stack).items():
        [(how, where)] = [(how, secret[how]) for how in SECRET_SOURCES if how in secret]
        text = where if isinstance(where, str) else json.dumps(where, ensure_ascii=False)
        found[name] = f"${{secret:{name}}} ({how} {text})"
    return found


def _sources(stack: Stack) -> dict[str, dict[str, Any]]:
    """Return what the stack says of its secrets; paths are relative to its file."""
    found = {name: secret.model_dump(mode="json", exclude_defaults=True) for name, secret in stack.secrets.items()}
    for secret in found.values():
        if "file" in secret:
            secret["file"] = os.path.relpath(secret["file"], stack.file.parent)
    return found


def _settings(stack: Stack, key: bytes) -> dict[str, object]:
    """Return what a stack says that neither its deployment holds nor its build tells."""
    told: dict[str, Any] = stack.model_dump(
        mode="json", exclude_defaults=True, include={"name", "require", "allow_hosts"}
    )
    told["secrets"] = _sources(stack)
    for kind, name, unit in stack.units():
        said: dict[str, object] = {"ignore": unit.ignore}
        config = stack.config(name)
        if isinstance(unit, Connector) and unit.external and config is not None:
            text = json.dumps(dict(config.table), sort_keys=True, default=str)
            said["config"] = f"#{digestkey.digest(key, text.encode())[:8]}"
        told.setdefault(f"{kind}s", {})[name] = said
    return told


def _stand_in(said: dict[str, str], home: StackHome, request: BuildRequest) -> BuildResult:
    """Return binaries that differ when what they are built from does."""
    whole = digestkey.digest(b"", codec.encode(said).encode())
    binaries = {
        program: StoredBinary(home.binaries / UNBUILT_FOLDER / (program.binary or program.package), whole)
        for program in request.programs
    }
    return BuildResult(MappingProxyType(binaries), request.features, request.start, 0.0, rebuilt=False)


def _said(request: BuildRequest, key: bytes) -> dict[str, str]:
    """Return what a reviewer may see of a build."""
    repository = request.repository
    said = {
        "source": None if request.source is None else os.path.relpath(request.source, request.start),
        "rev": None if repository is None else repository.commit,
        "features": ",".join(request.features),
        "default_features": request.default_features,
        "profile": request.profile,
        "rustflags": " ".join(request.rustflags),
        "locked": request.locked,
        "env": ",".join(f"{name}#{digestkey.digest(key, value.encode())}" for name, value in request.env.items()),
    }
    return {name: str(value) for name, value in said.items() if value not in (None, "")}


def _notes(before: _Side | None, after: _Side | None, old: str, new: str) -> list[str]:
    if before is None or after is None:
        return [f"{new if before is None else old} alone has this file"]
    told = []
    for name in {**before.said, **after.said}:
        ours, theirs = (side.said.get(name, "(none)") for side in (before, after))
        if ours != theirs:
            told.append("build: env differs" if name == "env" else f"build: {name}: {ours} -> {theirs}")
    if before.stack.name != after.stack.name:
        told.append(f"{after.stack.name} is another stack than {before.stack.name}: what runs of that is not touched")
    return told
