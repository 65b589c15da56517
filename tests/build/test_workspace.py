from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.build import workspace
from orchestrator.errors import BuildError

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_named_source_wins_over_everything_around_the_file(tmp_path: Path) -> None:
    write(tmp_path / "Cargo.toml", "[workspace]\n")
    manifest = write(tmp_path / "other" / "Cargo.toml", "[workspace]\n")
    found = workspace.find(tmp_path, source=manifest.parent, environ={"HFTBACKTEST_ROOT": str(tmp_path)})
    assert found == manifest


def test_the_walk_up_takes_the_nearest_workspace(tmp_path: Path) -> None:
    write(tmp_path / "Cargo.toml", "[workspace]\n")
    nearest = write(tmp_path / "a" / "Cargo.toml", '[workspace]\nmembers = ["x"]\n')
    write(tmp_path / "a" / "b" / "Cargo.toml", '[package]\nname = "b"\n')
    assert workspace.find(tmp_path / "a" / "b" / "c", source=None, environ={}) == nearest


def test_the_walk_up_takes_a_folder_with_a_connector_in_it(tmp_path: Path) -> None:
    manifest = write(tmp_path / "connector" / "Cargo.toml", '[package]\nname = "connector"\n')
    assert workspace.find(tmp_path / "stacks", source=None, environ={}) == manifest


def test_the_variable_is_the_last_resort(tmp_path: Path) -> None:
    manifest = write(tmp_path / "up" / "Cargo.toml", "[workspace]\n")
    environ = {"HFTBACKTEST_ROOT": str(tmp_path / "up")}
    assert workspace.find(tmp_path / "elsewhere", source=None, environ=environ) == manifest


def test_finding_nothing_names_what_was_looked_at(tmp_path: Path) -> None:
    with pytest.raises(BuildError) as caught:
        workspace.find(tmp_path, source=None, environ={})
    assert str(tmp_path) in caught.value.message
    assert "HFTBACKTEST_ROOT is not set" in caught.value.message
    assert "source:" in (caught.value.hint or "")


def test_a_source_without_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"has no Cargo\.toml"):
        workspace.find(tmp_path, source=tmp_path, environ={})
    with pytest.raises(BuildError, match="is not a folder"):
        workspace.find(tmp_path, source=tmp_path / "gone", environ={})


def test_a_broken_manifest_on_the_way_up_is_not_taken(tmp_path: Path) -> None:
    manifest = write(tmp_path / "Cargo.toml", "[workspace]\n")
    write(tmp_path / "a" / "Cargo.toml", "[workspace")
    (tmp_path / "a" / "b" / "Cargo.toml").mkdir(parents=True)
    assert workspace.find(tmp_path / "a" / "b", source=None, environ={}) == manifest
