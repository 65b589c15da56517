"""Where binaries come from: the source's revision, its Cargo.lock, the compiler."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.build import checkout, child, git, toolchain, workspace
from orchestrator.build.cargo import Cargo
from orchestrator.build.git import GitError
from orchestrator.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.build.request import BuildRequest

_ICEORYX2 = "iceoryx2"


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a build is made of.

    `revision` is the last commit that changed the workspace, None when no git knows it; `changed` the files that no
    commit holds. `cargo_lock` is the SHA-256 of Cargo.lock, `iceoryx2` the version that it names; None without one.
    """

    root: Path
    revision: str | None
    changed: tuple[str, ...]
    cargo_lock: str | None
    iceoryx2: str | None
    rustc: str
    cargo: str


def examine(request: BuildRequest, *, environ: Mapping[str, str]) -> Provenance:
    """Return what a build of `request` is made of; nothing is built. Raises BuildError."""
    environ = request.visible(environ)
    environment = {**environ, **request.env}
    source = request.source
    if request.repository is not None:
        source = checkout.ensure(request.repository, environ=environ)
    manifest = workspace.find(request.start, source=source, environ=environ)
    program = toolchain.cargo(environment)
    root = Cargo(program, environment).metadata(manifest, "--no-deps").workspace_root
    revision, changed = _revision(root, request.start, environ)
    lock = root / "Cargo.lock"
    content = lock.read_bytes() if lock.is_file() else None
    return Provenance(
        root=root,
        revision=request.repository.commit if request.repository is not None else revision,
        changed=changed,
        cargo_lock=None if content is None else hashlib.sha256(content).hexdigest(),
        iceoryx2=None if content is None else _version(content),
        rustc=_rustc(root, environment),
        cargo=_said([str(program), "--version"], root, environment)[0],
    )


def _revision(root: Path, stacks: Path, environ: Mapping[str, str]) -> tuple[str | None, tuple[str, ...]]:
    """Return the last commit that changed the workspace, and the files that no commit holds.

    The folder of the stack file is none of the source's: the lock itself is committed there.
    """
    places = ["--", "."]
    if stacks == root:
        places += [":(exclude,glob)*.yaml", ":(exclude,glob)*.lock"]
    elif stacks.is_relative_to(root):
        places.append(f":(exclude){stacks.relative_to(root)}")
    try:
        found = git.run(root, "log", "-1", "--format=%H", *places, environ=environ)
        changed = git.run(root, "status", "--porcelain", *places, environ=environ)
    except GitError:
        return None, ()
    files = tuple(line[3:] for line in changed if line[3:].rpartition("/")[2] != "Cargo.lock")
    return (found[0] if found else None), files


def _version(content: bytes) -> str | None:
    try:
        packages = tomllib.loads(content.decode()).get("package", [])
        versions = {str(package["version"]) for package in packages if package["name"] == _ICEORYX2}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return ", ".join(sorted(versions)) or None


def _rustc(root: Path, environ: Mapping[str, str]) -> str:
    """Return the compiler that cargo would call in the workspace, and what it compiles for."""
    program = environ.get("RUSTC") or toolchain.which("rustc", environ)
    if program is None:
        raise BuildError("rustc is not on the PATH", hint=f"install Rust: {toolchain.RUSTUP}")
    lines = _said([str(program), "-vV"], root, environ)
    host = next((line.partition(": ")[2] for line in lines if line.startswith("host: ")), "unknown host")
    return f"{lines[0]} {host}"


def _said(argv: list[str], cwd: Path, environ: Mapping[str, str]) -> list[str]:
    out: list[str] = []
    code = child.run([Path(argv[0]), *argv[1:]], cwd=cwd, env=environ, stdout=out.append, stderr=lambda _: None)
    if code != 0 or not out:
        raise BuildError(f"`{' '.join(argv)}` failed in {cwd}", hint="run it there by hand")
    return out
