"""What a stack requires of its git repository, on real repositories."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from orchestrator.engine.requirement import refuse_unmet
from orchestrator.errors import RefusedError
from orchestrator.stack import load

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.stack.model import Stack

_STACK = """\
version: 1
network: testnet
require: {{{require}}}
connectors:
  bf: {{type: binancefutures, config: bf.toml}}
"""
_TOML = 'stream_url = "wss://fstream.binancefuture.com/ws"\napi_url = "https://testnet.binancefuture.com"\n'


def _git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run([shutil.which("git") or "git", *who, *words], cwd=folder, check=True, capture_output=True)


def _stack(folder: Path, require: str) -> Stack:
    (folder / "s.yaml").write_text(_STACK.format(require=require), encoding="utf-8")
    (folder / "bf.toml").write_text(_TOML, encoding="utf-8")
    return load(folder / "s.yaml", os.environ)


def _repository(folder: Path, require: str) -> Stack:
    stack = _stack(folder, require)
    _git(folder, "init", "-q", "-b", "main")
    _git(folder, "add", "s.yaml", "bf.toml")
    _git(folder, "commit", "-q", "-m", "first")
    return stack


def _refusal(stack: Stack) -> str:
    with pytest.raises(RefusedError) as caught:
        refuse_unmet(stack, os.environ)
    assert caught.value.exit_code == 7
    assert caught.value.where == f"{stack.file}: /require"
    return f"{caught.value.message} / {caught.value.hint}"


def test_what_is_as_it_must_be_is_not_refused(tmp_path: Path) -> None:
    refuse_unmet(_repository(tmp_path, "git_clean: true, branch: main"), os.environ)


def test_a_stack_that_requires_nothing_needs_no_repository(tmp_path: Path) -> None:
    refuse_unmet(_stack(tmp_path, ""), os.environ)


@pytest.mark.parametrize("require", ["git_clean: true", "branch: main", "signed: true"])
def test_without_a_repository_nothing_that_is_required_holds(tmp_path: Path, require: str) -> None:
    assert "is not in a git repository with a commit" in _refusal(_stack(tmp_path, require))


@pytest.mark.parametrize("file", ["s.yaml", "bf.toml"])
def test_a_change_that_is_not_committed_is_named(tmp_path: Path, file: str) -> None:
    stack = _repository(tmp_path, "git_clean: true")
    with (tmp_path / file).open("a", encoding="utf-8") as changed:
        changed.write("# later\n")
    assert _refusal(stack).startswith(f"{file} has changes that are not committed")


def test_a_config_that_git_does_not_track_is_named(tmp_path: Path) -> None:
    stack = _repository(tmp_path, "git_clean: true")
    _git(tmp_path, "rm", "-q", "--cached", "bf.toml")
    _git(tmp_path, "commit", "-q", "-m", "second")
    assert f"{tmp_path / 'bf.toml'} is not tracked by git" in _refusal(stack)


def test_another_branch_and_no_branch_are_named(tmp_path: Path) -> None:
    stack = _repository(tmp_path, "branch: main")
    _git(tmp_path, "switch", "-q", "-c", "try")
    assert _refusal(stack) == "the repository is on branch try, not main / git switch main"
    _git(tmp_path, "switch", "-q", "--detach")
    assert "is on no branch, not main" in _refusal(stack)


def test_a_commit_without_a_signature_is_refused_beside_all_else(tmp_path: Path) -> None:
    stack = _repository(tmp_path, "branch: release, signed: true")
    said = _refusal(stack)
    assert "is on branch main, not release" in said
    assert "the commit has no signature that git can verify" in said


def test_a_signed_commit_is_accepted(tmp_path: Path) -> None:
    stack = _repository(tmp_path, "signed: true")
    key = tmp_path / "key"
    subprocess.run(
        [shutil.which("ssh-keygen") or "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True
    )
    (tmp_path / "signers").write_text(f"a@example.org {key.with_suffix('.pub').read_text()}", encoding="utf-8")
    for setting in (
        ("gpg.format", "ssh"),
        ("user.signingkey", str(key)),
        ("gpg.ssh.allowedSignersFile", str(tmp_path / "signers")),
    ):
        _git(tmp_path, "config", *setting)
    _git(tmp_path, "commit", "-q", "--amend", "--no-edit", "-S")
    refuse_unmet(stack, os.environ)


def _extending(folder: Path) -> Stack:
    """Return a stack whose base and config are in a repository of their own, a submodule or not."""
    desk, base = folder / "desk", folder / "base"
    desk.mkdir()
    base.mkdir()
    (base / "base.yaml").write_text("connectors: {bf: {type: binancefutures, config: bf.toml}}\n", encoding="utf-8")
    (base / "bf.toml").write_text(_TOML, encoding="utf-8")
    (desk / "s.yaml").write_text(
        "version: 1\nnetwork: testnet\nextends: ../base/base.yaml\nrequire: {git_clean: true}\n", encoding="utf-8"
    )
    for repository in (desk, base):
        _git(repository, "init", "-q", "-b", "main")
        _git(repository, "add", ".")
        _git(repository, "commit", "-q", "-m", "first")
    return load(desk / "s.yaml", os.environ)


@pytest.mark.parametrize("name", ["base.yaml", "bf.toml"])
def test_a_file_in_another_repository_must_be_committed_there(tmp_path: Path, name: str) -> None:
    stack = _extending(tmp_path)
    refuse_unmet(stack, os.environ)
    file = tmp_path / "base" / name
    file.write_text(file.read_text("utf-8") + "# later\n", encoding="utf-8")

    said = _refusal(load(stack.file, os.environ))

    assert said == f"{file} has changes that are not committed / git commit them in its repository"


def test_what_was_read_is_judged_and_not_what_is_there_by_now(tmp_path: Path) -> None:
    _repository(tmp_path, "git_clean: true")
    config = tmp_path / "bf.toml"
    config.write_text(_TOML + "# later\n", encoding="utf-8")
    stack = load(tmp_path / "s.yaml", os.environ)
    config.write_text(_TOML, encoding="utf-8")

    assert _refusal(stack).startswith(f"{config} has changes that are not committed")


def test_git_may_not_be_told_to_look_away(tmp_path: Path) -> None:
    _repository(tmp_path, "git_clean: true")
    _git(tmp_path, "update-index", "--assume-unchanged", "bf.toml")
    (tmp_path / "bf.toml").write_text(_TOML + "# later\n", encoding="utf-8")

    said = _refusal(load(tmp_path / "s.yaml", os.environ))

    assert said.startswith(f"{tmp_path / 'bf.toml'} has changes that are not committed")


def test_line_ends_that_git_converts_are_no_change(tmp_path: Path) -> None:
    stack = _repository(tmp_path, "git_clean: true")
    _git(tmp_path, "config", "core.autocrlf", "true")
    (tmp_path / "bf.toml").write_bytes(_TOML.replace("\n", "\r\n").encode())
    _git(tmp_path, "add", "bf.toml")

    refuse_unmet(load(stack.file, os.environ), os.environ)


def test_a_link_out_of_the_repository_is_committed_at_both_ends(tmp_path: Path) -> None:
    stack = _extending(tmp_path)
    desk, base = tmp_path / "desk", tmp_path / "base"
    (desk / "own.toml").symlink_to(base / "bf.toml")
    text = "connectors: {bf: {type: binancefutures, config: own.toml}}\n"
    stack.file.write_text(f"version: 1\nnetwork: testnet\nrequire: {{git_clean: true}}\n{text}", encoding="utf-8")
    _git(desk, "add", ".")
    _git(desk, "commit", "-q", "-m", "second")
    refuse_unmet(load(stack.file, os.environ), os.environ)

    (base / "bf.toml").write_text(_TOML + "# later\n", encoding="utf-8")
    assert "own.toml has changes that are not committed" in _refusal(load(stack.file, os.environ))


@pytest.mark.parametrize("left", ["", "require: {git_clean: false, branch: main}\n"])
@pytest.mark.parametrize("place", ["s.yaml", "base.yaml"])
def test_a_requirement_does_not_go_with_an_edit_that_is_not_committed(tmp_path: Path, place: str, left: str) -> None:
    unit = "connectors: {bf: {type: binancefutures, config: bf.toml}}\n"
    texts = {"s.yaml": f"version: 1\nnetwork: testnet\nextends: base.yaml\n{unit}", "base.yaml": "x-base: true\n"}
    (tmp_path / "bf.toml").write_text(_TOML, encoding="utf-8")
    for name, text in texts.items():
        require = "require: {git_clean: true, branch: main}\n" if name == place else ""
        (tmp_path / name).write_text(text + require, encoding="utf-8")
    _git(tmp_path, "init", "-q", "-b", "main")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-q", "-m", "first")
    (tmp_path / place).write_text(texts[place] + left, encoding="utf-8")
    edited = load(tmp_path / "s.yaml", os.environ)

    with pytest.raises(RefusedError, match=f"{place} has changes that are not committed") as caught:
        refuse_unmet(edited, os.environ)
    assert caught.value.where == f"{edited.file} as it was committed: /require"

    _git(tmp_path, "commit", "-q", "-a", "-m", "reviewed")
    refuse_unmet(edited, os.environ)


def test_a_file_that_was_never_committed_is_held_to_what_it_says_itself(tmp_path: Path) -> None:
    _repository(tmp_path, "git_clean: true")
    other = tmp_path / "other.yaml"
    other.write_text("version: 1\nnetwork: local\nservices: {a: {command: [sleep, '1']}}\n", encoding="utf-8")

    refuse_unmet(load(other, os.environ), os.environ)


def test_that_a_lock_is_required_does_not_go_with_an_edit_either(tmp_path: Path) -> None:
    refuse_unmet(_repository(tmp_path, "locked: true"), os.environ)
    refuse_unmet(_stack(tmp_path, "locked: true, signed: false"), os.environ)

    with pytest.raises(RefusedError, match="does not require its lock any more") as caught:
        refuse_unmet(_stack(tmp_path, ""), os.environ)
    assert caught.value.where == f"{tmp_path / 's.yaml'} as it was committed: /require"
