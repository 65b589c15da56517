"""A stack held to its lock, with a real cargo and a real git."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.cargo import environment

if TYPE_CHECKING:
    from tests.integration.harness import Done, Machine

_MAIN = 'fn main() { println!("VERSION"); std::thread::sleep(std::time::Duration::from_secs(1000)); }'
_FUTURES = {"stream_url": "ws://127.0.0.1:9/ws", "api_url": "http://127.0.0.1:9", "order_prefix": "mm1"}


class Locked:
    """A machine with a cargo workspace in git beside the stack, whose one package is a service."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.root = machine.folder / "up"
        self.lock = machine.folder / "s.lock"
        self.put("Cargo.toml", '[workspace]\nresolver = "2"\nmembers = ["tool"]\n')
        self.put("tool/Cargo.toml", '[package]\nname = "tool"\nversion = "0.1.0"\nedition = "2021"\n')
        self.put("tool/src/main.rs", _MAIN)
        self.put(".gitignore", "target\n")
        self.put("Cargo.lock", 'version = 4\n\n[[package]]\nname = "tool"\nversion = "0.1.0"\n')
        self.git("init", "--quiet")
        self.commit("first")
        self.write("keyed")

    def write(self, key: str, prefix: str = "mm1", **source: str) -> None:
        config = {**_FUTURES, "order_prefix": prefix, "api_key": "${KEY}", "secret": "${secret:pem}"}
        self.machine.write(
            source=source or {"path": "up"},
            secrets={"pem": {"env": key}},
            services={"tool": {"package": "tool"}},
            connectors={"bf": {"type": "binancefutures", "external": True, "config": config}},
        )

    def put(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def git(self, *words: str) -> str:
        program = shutil.which("git")
        assert program is not None
        author = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run([program, *author, *words], cwd=self.root, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, text: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", text)
        return self.git("rev-parse", "HEAD")

    def run(self, *words: str, key: str = "hush-hush-1") -> Done:
        env = {**environment(), **self.machine.environ(KEY=key), "CARGO_NET_OFFLINE": "true"}
        done = self.machine.hftstack(*words, env=env)
        assert "hush-hush" not in done.said
        return done

    def locked(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self.lock.read_text())
        return data


@pytest.fixture
def stack(machine: Machine) -> Locked:
    if shutil.which("cargo") is None:
        pytest.skip("cargo is not installed")
    return Locked(machine)


def test_a_locked_stack_comes_up_and_whatever_differs_is_refused_by_name_with_nothing_touched(stack: Locked) -> None:
    file = str(stack.machine.file)
    assert stack.run("up", file, "--locked").code == 7
    done = stack.run("lock", file)
    assert done.code == 0, done.said
    lock = stack.locked()
    assert lock["revision"] == stack.git("rev-parse", "HEAD")
    assert lock["toolchain"].startswith("rustc 1.")
    assert len(lock["binaries"]["tool"]) == 64
    assert lock["configs"].keys() == {"bf"}
    assert (
        f"wrote {stack.lock}: source {lock['revision'][:8]}, tool {lock['binaries']['tool'][:8]}, 1 config" in done.out
    )
    check = stack.run("lock", file, "--check", key="hush-hush-2")
    assert (check.code, check.err) == (0, "")
    assert stack.run("up", file, "tool", "--locked").code == 0
    pid = stack.machine.pids()["tool"]

    stack.put("tool/src/main.rs", _MAIN.replace("VERSION", "other"))
    said = stack.run("lock", file)
    assert (said.code, "changes that no commit holds: tool/src/main.rs" in said.err) == (7, True)
    stack.commit("second")
    stack.write("keyed", prefix="mm2")
    refused = stack.run("up", file, "--locked")
    assert refused.code == 7
    for what in ("revision: locked", "binary of tool: locked", "config of bf: locked"):
        assert what in refused.err
    assert "s is not what its lock says, 3 differences" in refused.err
    assert stack.machine.pids()["tool"] == pid
    check = stack.run("lock", file, "--check", "--no-build")
    assert check.code == 6
    assert [line.split(": ")[1] for line in check.out.splitlines()] == ["revision", "config of bf"]

    newer = stack.locked() | {"format": 99}
    stack.lock.write_text(json.dumps(newer))
    assert "of a newer hftstack" in stack.run("up", file, "--locked").err
    assert stack.run("up", file, "tool").code == 0
    assert stack.machine.pids()["tool"] != pid
    stack.machine.down()


def test_a_source_in_git_is_locked_by_its_commit_and_needs_it_no_more(stack: Locked) -> None:
    file = str(stack.machine.file)
    commit = stack.git("rev-parse", "HEAD")
    stack.write("keyed", git="up", rev=commit)
    assert stack.run("lock", file).code == 0
    assert (stack.locked()["source"], stack.locked()["revision"]) == (str(stack.root), commit)
    shutil.rmtree(stack.root)
    assert stack.run("up", file, "tool", "--locked").code == 0
    assert stack.run("up", file, "tool", "--locked", "--no-build").code == 0
    stack.machine.down()


def test_a_program_that_a_command_names_by_its_path_is_locked_too(machine: Machine) -> None:
    bot = machine.script("bot", "exec sleep 1000")
    bots = {"mm": {"command": ["./bot", "--fast"]}, "rest": {"command": ["sleep", "1000"]}}
    machine.write(bots=bots, services={"base": {"command": [bot]}})
    done = machine.hftstack("lock", machine.file)
    assert done.code == 0, done.said
    lock = json.loads((machine.folder / "s.lock").read_text())
    digest = hashlib.sha256((machine.folder / "bot").read_bytes()).hexdigest()
    assert lock["programs"] == {"base": digest, "mm": digest}
    assert f"mm {digest[:8]}" in done.out
    assert machine.hftstack("up", machine.file, "--locked").code == 0
    before = machine.pids()

    machine.script("bot", "exec sleep 2000")
    refused = machine.hftstack("up", machine.file, "--locked")
    assert refused.code == 7
    assert f"program of mm: locked {digest[:12]}, found " in refused.err
    assert machine.pids() == before
    for there in (True, False):
        if not there:
            (machine.folder / "bot").unlink()
        check = machine.hftstack("lock", machine.file, "--check")
        assert check.code == 6
        assert [line.split(": ")[1] for line in check.out.splitlines()] == ["program of base", "program of mm"]
        assert machine.hftstack("lock", machine.file, "--check", "--no-build").code == 0
    gone = machine.hftstack("lock", machine.file)
    assert (gone.code, "cannot run " in gone.err) == (3, True)
    machine.down()


def test_a_stack_that_requires_its_lock_comes_up_with_nothing_else(machine: Machine) -> None:
    machine.script("bot.sh", "exec sleep 1000")
    bots = {"mm": {"command": ["sh", "bot.sh"]}}
    machine.write(bots=bots, require={"locked": True})
    without = machine.hftstack("up", machine.file)
    assert (without.code, "there is no lock" in without.err) == (7, True)
    assert machine.hftstack("lock", machine.file).code == 0
    machine.up()
    before = machine.pids()

    machine.script("bot.sh", "exec sleep 2000")
    refused = machine.hftstack("up", machine.file)
    assert refused.code == 7
    assert "code of mm bot.sh: locked " in refused.err
    assert machine.pids() == before
    lock = machine.folder / "s.lock"
    lock.write_text(json.dumps(json.loads(lock.read_text()) | {"format": 2}))
    assert "an older hftstack, which looked at less, wrote the lock" in machine.hftstack("up", machine.file).err
    machine.down()
