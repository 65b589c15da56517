"""The cargo workspace that a stack is built from."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT_VARIABLE: Final = "HFTBACKTEST_ROOT"
_HINT: Final = (
    f"set `source: {{path: PATH}}` in the stack file, or {ROOT_VARIABLE}, to a checkout of nkaz001/hftbacktest"
)


def find(start: Path, *, source: Path | None, environ: Mapping[str, str]) -> Path:
    """Return the manifest to give to cargo.

    The workspace is `source`, else the nearest folder from `start` upwards that holds a Cargo.toml with `[workspace]`
    or a connector/Cargo.toml, else $HFTBACKTEST_ROOT. Raises BuildError, which names every place that was looked at.
    """
    if source is not None:
        return _explicit(source, "source.path")
    for folder in (start, *start.parents):
        manifest = folder / "Cargo.toml"
        if _declares_workspace(manifest):
            return manifest
        if _is_file(folder / "connector" / "Cargo.toml"):
            return _manifest(folder) or folder / "connector" / "Cargo.toml"
    if root := environ.get(ROOT_VARIABLE):
        return _explicit(Path(root).absolute(), ROOT_VARIABLE)
    raise BuildError(
        f"no cargo workspace: looked for a Cargo.toml with [workspace] or a connector/Cargo.toml in {start} "
        f"and every folder above it, and {ROOT_VARIABLE} is not set",
        hint=_HINT,
    )


def _explicit(folder: Path, origin: str) -> Path:
    if manifest := _manifest(folder):
        return manifest
    found = "has no Cargo.toml and no connector/Cargo.toml" if folder.is_dir() else "is not a folder"
    raise BuildError(f"no cargo workspace: {folder} {found}", where=origin, hint=_HINT)


def _manifest(folder: Path) -> Path | None:
    for manifest in (folder / "Cargo.toml", folder / "connector" / "Cargo.toml"):
        if _is_file(manifest):
            return manifest
    return None


def _declares_workspace(manifest: Path) -> bool:
    try:
        return "workspace" in tomllib.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder above that we may not search
        return False
