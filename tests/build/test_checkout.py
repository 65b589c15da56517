"""Sources in git, from real repositories on this disk."""

from __future__ import annotations

import shutil
import subprocess
import threading
from dataclasses import dataclass, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
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


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


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


def _with_submodule(upstream: Upstream, url: str) -> tuple[Upstream, str]:
    """Return a repository whose commit has a submodule `sub`, which has another one, and that commit."""
    inner = replace(upstream, root=upstream.root.parent / "inner")
    sub = replace(upstream, root=upstream.root.parent / "sub")
    allowed = ("-c", "protocol.file.allow=always")
    for each, text in ((inner, "innermost"), (sub, "inside")):
        each.root.mkdir()
        each.git("init", "--quiet", "--initial-branch=main")
        each.commit(text)
    sub.git(*allowed, "submodule", "--quiet", "add", "../inner", "inner")
    pinned = sub.commit("with inner")
    upstream.commit("one")
    upstream.git(*allowed, "submodule", "--quiet", "add", str(sub.root), "sub")
    upstream.git("config", "--file", ".gitmodules", "submodule.sub.url", url)
    commit = upstream.commit("with sub")
    sub.commit("later")
    assert pinned in upstream.git("ls-tree", "HEAD", "sub")
    return sub, commit


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_submodules_come_with_it_at_the_commits_that_it_names_and_are_held_to_them(
    upstream: Upstream, scheme: str
) -> None:
    sub, commit = _with_submodule(upstream, "../sub")
    folder = upstream.ensure(commit, f"{scheme}{upstream.root}")
    for each in (upstream, sub, replace(upstream, root=upstream.root.parent / "inner")):
        shutil.rmtree(each.root)

    assert (folder / "sub" / "a").read_text() == "with inner"
    assert (folder / "sub" / "inner" / "a").read_text() == "innermost"
    assert upstream.ensure(commit, f"{scheme}{upstream.root}") == folder
    (folder / "sub" / "a").write_text("mine")
    assert "the checkout of the source was changed: sub" in upstream.refused(commit, f"{scheme}{upstream.root}")


def test_a_submodule_that_cannot_be_had_is_told_and_nothing_is_kept(upstream: Upstream) -> None:
    proof = upstream.root.parent / "proof"
    for url, said in (("../gone", "gone"), (f"ext::touch {proof}", "not allowed")):
        shutil.rmtree(upstream.root.parent / "sub", ignore_errors=True)
        shutil.rmtree(upstream.root.parent / "inner", ignore_errors=True)
        shutil.rmtree(upstream.root)
        upstream.root.mkdir()
        upstream.git("init", "--quiet", "--initial-branch=main")
        _, commit = _with_submodule(upstream, url)
        told = upstream.refused(commit)
        assert "cannot clone the source" in told
        assert said in told
    assert not any(upstream.cache.glob("*/*"))
    assert not proof.exists()


def test_a_source_from_elsewhere_has_no_submodule_on_this_disk(upstream: Upstream) -> None:
    sub, commit = _with_submodule(upstream, f"file://{upstream.root.parent}/sub")
    upstream.git("update-server-info")
    handler = partial(_Silent, directory=str(upstream.root / ".git"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            said = upstream.refused(commit, f"http://127.0.0.1:{server.server_port}/")
        finally:
            server.shutdown()
            thread.join()

    assert "transport 'file' not allowed" in said
    assert sub.root.exists()
    assert not any(upstream.cache.glob("*/*"))


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
