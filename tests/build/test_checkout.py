"""Sources in git, from real repositories on this disk."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from orchestrator import build
from orchestrator.build import CONNECTOR, Repository, checkout
from orchestrator.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.build.conftest import Workspace


@dataclass(frozen=True)
class Upstream:
    """A repository with a file `a`, and the folder that checkouts of it are kept in."""

    root: Path
    cache: Path
    environ: Mapping[str, str]

    def git(self, *words: str) -> str:
        author = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run([_git(), *author, *words], cwd=self.root, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, text: str) -> str:
        (self.root / "a").write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", text)
        return self.git("rev-parse", "HEAD")

    def at(self, commit: str, url: str | None = None) -> Repository:
        return Repository(url or str(self.root), commit, self.cache)

    def ensure(self, commit: str, url: str | None = None) -> Path:
        return checkout.ensure(self.at(commit, url), environ=self.environ)

    def refused(self, commit: str, url: str | None = None) -> str:
        with pytest.raises(BuildError) as caught:
            self.ensure(commit, url)
        assert caught.value.exit_code == 4
        return str(caught.value)


@pytest.fixture
def upstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Upstream:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    made = Upstream(
        tmp_path / "upstream",
        tmp_path / "cache",
        {"PATH": f"{_git().rpartition('/')[0]}:/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    made.root.mkdir()
    made.git("init", "--quiet", "--initial-branch=main")
    return made


def _git() -> str:
    program = shutil.which("git")
    assert program is not None
    return program


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_commit_is_checked_out_and_then_needs_its_repository_no_more(upstream: Upstream, scheme: str) -> None:
    first, _ = upstream.commit("one"), upstream.commit("two")
    folder = upstream.ensure(first, f"{scheme}{upstream.root}")
    shutil.rmtree(upstream.root)

    assert (folder / "a").read_text() == "one"
    assert upstream.ensure(first, f"{scheme}{upstream.root}") == folder
    assert [path.name for path in folder.parent.iterdir()] == [first]


def test_a_commit_that_its_server_does_not_give_by_name_is_found_in_a_branch_or_a_tag(upstream: Upstream) -> None:
    upstream.commit("one")
    upstream.git("checkout", "--quiet", "-b", "side")
    wanted = upstream.commit("two")
    upstream.commit("three")
    upstream.git("config", "protocol.version", "0")
    home = upstream.cache.parent / ".gitconfig"
    home.write_text("[protocol]\n\tversion = 0\n")

    assert (upstream.ensure(wanted, f"file://{upstream.root}") / "a").read_text() == "two"


def test_two_commits_lie_side_by_side_and_share_what_cargo_compiles(upstream: Upstream) -> None:
    first, second = upstream.commit("one"), upstream.commit("two")
    one, two = upstream.ensure(first), upstream.ensure(second)

    assert ((one / "a").read_text(), (two / "a").read_text()) == ("one", "two")
    assert checkout.target(upstream.at(first)) == checkout.target(upstream.at(second))


def test_a_commit_or_a_repository_that_does_not_exist_is_named_with_what_git_says(upstream: Upstream) -> None:
    upstream.commit("one")
    none = "0" * 40
    said = upstream.refused(none)
    assert f"{upstream.root} at 000000000000: cannot clone the source" in said
    assert f"no branch and no tag of it has the commit {none}" in said
    assert "source: {git: .., rev: ..}" in said

    gone = str(upstream.root.parent / "gone")
    assert "does not appear to be a git repository" in upstream.refused(none, gone)
    assert not any(upstream.cache.glob("*/*"))


def test_a_transport_that_would_run_a_command_is_not_used(upstream: Upstream) -> None:
    upstream.commit("one")
    proof = upstream.root.parent / "proof"

    assert "not allowed" in upstream.refused("0" * 40, f"ext::touch {proof}")
    assert not proof.exists()


def test_a_hook_of_the_user_does_not_run_and_a_hooks_environment_does_not_lead_astray(upstream: Upstream) -> None:
    commit = upstream.commit("one")
    hooks = upstream.root.parent / "hooks"
    hooks.mkdir()
    (hooks / "post-checkout").write_text(f"#!/bin/sh\ntouch {hooks}/ran\n")
    (hooks / "post-checkout").chmod(0o755)
    (upstream.root.parent / ".gitconfig").write_text(f"[core]\n\thooksPath = {hooks}\n")
    environ = {**upstream.environ, "GIT_DIR": str(upstream.root / ".git"), "GIT_WORK_TREE": str(upstream.root)}

    assert (checkout.ensure(upstream.at(commit), environ=environ) / "a").read_text() == "one"
    assert not (hooks / "ran").exists()


def test_a_checkout_that_was_changed_or_moved_is_refused_by_name(upstream: Upstream) -> None:
    first, second = upstream.commit("one"), upstream.commit("two")
    folder = upstream.ensure(second)
    (folder / "a").write_text("mine")
    (folder / "new").write_text("mine")
    said = upstream.refused(second)
    assert "the checkout of the source was changed: a, new" in said
    assert f"rm -r {folder}" in said

    shutil.rmtree(folder)
    shutil.copytree(upstream.ensure(first), folder)
    assert f"was moved: it is at {first[:12]}, not {second[:12]}" in upstream.refused(second)

    shutil.rmtree(folder / ".git")
    assert "is damaged" in upstream.refused(second)


def test_a_build_is_of_the_commit_whatever_the_repository_holds_now(workspace: Workspace, upstream: Upstream) -> None:
    tree = Upstream(workspace.root, upstream.cache, workspace.environ)
    tree.git("init", "--quiet", "--initial-branch=main")
    commit = tree.commit("reviewed")
    workspace.write("connector/src/main.rs", "not Rust")
    tree.commit("broken")
    request = replace(workspace.request("bybit"), repository=tree.at(commit))
    said: list[str] = []
    first = build.ensure(request, environ=workspace.environ, progress=lambda progress: said.append(progress.what))
    shutil.rmtree(workspace.root)
    second = build.ensure(request, environ=workspace.environ)

    assert f"cloning {workspace.root}" in said
    done = subprocess.run([first.binaries[CONNECTOR].path], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["binancefutures", "bybit"]
    assert first.workspace.name == commit
    assert (first.rebuilt, second.rebuilt) == (True, False)
    assert second.binaries == first.binaries
