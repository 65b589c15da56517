"""From which commit a stack file is."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from orchestrator.engine.attribution import by

if TYPE_CHECKING:
    from pathlib import Path


def _git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        [shutil.which("git") or "git", *who, *words], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A stack file in a repository with one commit."""
    folder = tmp_path / "stacks of mine"
    folder.mkdir()
    path = folder / "prod.yaml"
    path.write_text("version: 1\n")
    _git(folder, "init", "-q")
    _git(folder, "add", ".")
    _git(folder, "commit", "-q", "-m", "first")
    return path


def test_a_committed_file_is_told_by_its_commit(file: Path) -> None:
    found = by(os.environ, file)

    assert found["commit"] == _git(file.parent, "rev-parse", "HEAD")
    assert found["dirty"] is False
    assert found["user"]


def test_what_git_runs_of_others_is_given_no_variable_that_may_hold_a_secret(file: Path) -> None:
    seen = file.with_name("seen")
    file.with_name(".gitattributes").write_text("*.yaml filter=curious\n")
    _git(file.parent, "config", "filter.curious.clean", f"env > '{seen}'; cat")
    file.write_text("version: 2\n")  # of the same size, so that git looks into it
    environ = {**os.environ, "BINANCE_SECRET": "hunter2", "GIT_DIR": "/nowhere", "XDG_MINE": "kept"}

    assert by(environ, file)["dirty"] is True
    assert "XDG_MINE=kept" in seen.read_text()
    assert "hunter2" not in seen.read_text()


def test_a_change_anywhere_in_the_repository_makes_it_dirty(file: Path) -> None:
    other = file.with_name("bot.py")
    other.write_text("1\n")
    assert by(os.environ, file)["dirty"] is False
    _git(file.parent, "add", "bot.py")
    assert by(os.environ, file)["dirty"] is True


def test_a_file_that_is_not_committed_is_dirty(file: Path) -> None:
    new = file.with_name("new.yaml")
    new.write_text("version: 1\n")

    assert by(os.environ, new)["dirty"] is True


def test_a_link_is_told_by_what_it_points_to(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(file)

    assert by(os.environ, link)["commit"] == by(os.environ, file)["commit"]


def test_variables_of_another_repository_lead_nowhere_else(file: Path) -> None:
    environ = {**os.environ, "GIT_DIR": "/nowhere/.git", "GIT_WORK_TREE": "/nowhere"}

    assert by(environ, file) == by(os.environ, file)


@pytest.mark.parametrize("environ", [{"PATH": "/nowhere"}, dict(os.environ)])
def test_without_git_or_a_repository_there_is_no_commit(tmp_path: Path, environ: dict[str, str]) -> None:
    path = tmp_path / "prod.yaml"
    path.write_text("version: 1\n")
    found = by({**environ, "GIT_CEILING_DIRECTORIES": str(tmp_path)}, path)

    assert (found["commit"], found["dirty"]) == (None, None)
    assert found["user"]
