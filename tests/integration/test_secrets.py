"""Secrets in a whole run: they reach the config that a unit reads, and nothing else."""

from __future__ import annotations

import os
import shutil
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.children import until
from tests.integration.harness import lives, pair

if TYPE_CHECKING:
    from tests.integration.harness import Done, Machine

_SECRETS = {"KEY": "hush-of-the-variable", "FILE": "hush-of-the-file", "PROGRAM": "hush-of-the-program"}
_NEXT = "hush-after-the-change"


def _document(machine: Machine) -> dict[str, Any]:
    private = machine.folder / "private"
    private.write_text(f"{_SECRETS['FILE']}\n")
    private.chmod(0o600)
    symbols = ["${secret:key}", "${secret:file}", "${secret:program}"]
    (machine.folder / "by.toml").write_text(f"symbols = {symbols}\n")
    return {
        "secrets": {
            "key": {"env": "EXCHANGE_KEY"},
            "file": {"file": "private"},
            "program": {"command": ["printenv", "EXCHANGE_PROGRAM"]},
        },
        "connectors": {
            "bf": {"type": "sim", "config": {"symbols": ["btcusdt", *symbols]}},
            "by": {"type": "sim", "config": "by.toml"},
            "bad": {
                "type": "sim",
                "config": {"symbols": symbols, "faults": {"die_before_live": True}},
                "health": {"startup": "500ms"},
                "restart": {"limit": {"restarts": 1}, "backoff": {"initial": "10ms", "max": "10ms"}},
            },
        },
        "bots": {"mm": {"type": "sim", "depends_on": ["bf", "by"], "stop": {"grace": "2s"}}},
    }


def _environ(key: str = _SECRETS["KEY"]) -> dict[str, str]:
    return {"EXCHANGE_KEY": key, "EXCHANGE_PROGRAM": _SECRETS["PROGRAM"], "EXCHANGE_FILE": "unused"}


def _hit(content: bytes) -> bool:
    return any(secret.encode() in content for secret in (*_SECRETS.values(), _NEXT))


def _found_on_disk(machine: Machine) -> set[Path]:
    """Return the files below the test's folder that hold a secret, but for the user's own."""
    found = set()
    for folder, _, names in os.walk(machine.folder):
        for path in (Path(folder, name) for name in names if name != "private"):
            with suppress(OSError):  # a socket, or what a process that ends removes
                if _hit(path.read_bytes()):
                    found.add(path)
    return found


def _found_in_processes(machine: Machine) -> set[str]:
    """Return the argv and environments of the stack's processes, supervisor and guardian too, that hold a secret."""
    pids = [machine.supervisor(), machine.guardian(), *(pid for pid in machine.pids().values() if pid)]
    found = set()
    for pid in pids:
        for what in ("cmdline", "environ"):
            with suppress(FileNotFoundError, ProcessLookupError):  # one that fails for ever may have ended
                if _hit(Path(f"/proc/{pid}/{what}").read_bytes()):
                    found.add(f"{pid} {what}")
    return found


def _config(machine: Machine, name: str) -> Path:
    (path,) = machine.runtime.glob(f"configs/{name}-*.toml")
    return path


def test_a_secret_is_in_the_rendered_configs_alone_for_as_long_as_they_are_needed(machine: Machine) -> None:
    machine.write(_document(machine))
    said: list[Done] = []

    def run(*words: str, **environ: str) -> None:
        said.append(machine.hftstack(*words, env=environ or None))

    run("validate", str(machine.file))
    run("config", str(machine.file))
    run("up", str(machine.file), **_environ())
    configs = {_config(machine, name) for name in ("bf", "by", "bad")}
    assert _found_on_disk(machine) == configs
    assert {path.stat().st_mode & 0o777 for path in configs} == {0o600}
    assert _found_in_processes(machine) == set()
    symbols = tomllib.loads(_config(machine, "bf").read_text())["symbols"]
    assert symbols == ["btcusdt", *(_SECRETS[name] for name in ("KEY", "FILE", "PROGRAM"))]
    pid = machine.pids()["bf"]
    limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
    assert [line.split()[4:6] for line in limits if line.startswith("Max core file size")] == [["0", "0"]]
    run("status")
    run("status", "--format", "json")
    run("restart", "bf")
    run("logs")
    run("events")
    run("probe")
    run("history")
    run("gaps")
    run("doctor", "s")
    run("lock", str(machine.file))
    run("plan", str(machine.file), "--out", "a.plan", **_environ(_NEXT))
    for form in ("json", "markdown"):
        run("plan", str(machine.file), "--format", form, **_environ(_NEXT))
    before = _config(machine, "by")
    run("up", str(machine.file), **_environ(_NEXT))
    until(lambda: _found_on_disk(machine) == {_config(machine, name) for name in ("bf", "by", "bad")})
    assert _config(machine, "by") != before
    assert machine.pids()["bf"] != pid
    assert _found_in_processes(machine) == set()
    pids = machine.pids()
    run("up", str(machine.file), **_environ(_NEXT))
    assert {name: machine.pids()[name] for name in ("bf", "by", "mm")} == {n: pids[n] for n in ("bf", "by", "mm")}
    run("down", "s")
    run("status", "s")
    assert _found_on_disk(machine) == set()
    assert machine.left() == {}
    assert not _hit("".join(done.said for done in said).encode())
    codes = [done.code for done in said]
    assert (codes[:3], codes[-2]) == ([0, 0, 5], 0), [done.said for done in said]


def test_an_up_that_is_refused_or_cannot_have_its_secrets_leaves_no_config_and_starts_nothing(machine: Machine) -> None:
    machine.write(_document(machine))
    (machine.folder / "private").chmod(0o644)
    done = machine.hftstack("up", machine.file, env={"EXCHANGE_KEY": _SECRETS["KEY"]})

    assert done.code == 3
    assert f"{machine.file}:5:3: the secret key" not in done.err
    assert f"the secret file: {machine.folder}/private is open to others: its mode is 0644" in done.err
    assert "the secret program: " in done.err
    assert "exited with 1" in done.err
    assert not _hit(done.said.encode())
    assert _found_on_disk(machine) == set()
    assert machine.members() == {}


def test_an_up_that_finds_no_program_for_another_unit_leaves_no_config(machine: Machine) -> None:
    sections = pair({"symbols": ["${secret:key}"]})
    bots = {"mm": {"command": ["pyhton3", "mm.py"], "depends_on": ["bf"]}}
    machine.write({**sections, "bots": bots}, secrets={"key": {"env": "EXCHANGE_KEY"}})
    done = machine.hftstack("up", machine.file, env=_environ())
    assert (done.code, "there is no program 'pyhton3' on the PATH" in done.err) == (3, True), done.said
    assert _found_on_disk(machine) == set()
    assert machine.hftstack("down", "s").code == 0
    assert _found_on_disk(machine) == set()


def test_down_removes_the_configs_of_a_stack_that_was_killed_as_a_whole(machine: Machine) -> None:
    machine.write(pair({"symbols": ["${secret:key}"]}), secrets={"key": {"env": "EXCHANGE_KEY"}})
    assert machine.hftstack("up", machine.file, env=_environ()).code == 0
    pids = machine.pids()
    machine.kill_supervisor()
    for pid in pids.values():
        assert pid is not None
        os.kill(pid, 9)
    until(lambda: machine.members() == {})
    assert _found_on_disk(machine) != set()
    done = machine.hftstack("down", "s")
    assert (done.code, done.out) == (0, "s is not running\n"), done.said
    assert _found_on_disk(machine) == set()


def test_a_unit_whose_config_is_gone_says_so_and_up_renders_it_again(machine: Machine) -> None:
    machine.write(pair({"symbols": ["${secret:key}"]}), secrets={"key": {"env": "EXCHANGE_KEY"}})
    assert machine.hftstack("up", machine.file, env=_environ()).code == 0
    pid = machine.pids()["bf"]
    assert pid is not None
    shutil.rmtree(machine.runtime / "configs")
    os.kill(pid, 9)
    bf = machine.until_units(lambda units: units["bf"]["state"] == "failed")["bf"]
    assert "its config is gone" in bf["why"]
    assert "`hftstack up FILE` renders it again" in bf["why"]
    assert machine.hftstack("up", machine.file, env=_environ()).code == 0
    assert _found_on_disk(machine) == {_config(machine, "bf")}
    assert machine.pids()["bf"] not in {None, pid}
    assert not lives(pid)
    machine.down()


def test_a_stopped_unit_keeps_its_config_and_starts_again_without_its_secrets(machine: Machine) -> None:
    machine.write(pair({"symbols": ["${secret:key}"]}), secrets={"key": {"env": "EXCHANGE_KEY"}})
    assert machine.hftstack("up", machine.file, env=_environ()).code == 0
    assert machine.hftstack("stop", "bf").code == 0
    assert machine.hftstack("start", "mm").code == 0
    assert machine.units()["bf"]["state"] == "up"
    machine.down()


def test_up_of_some_units_reads_their_secrets_alone(machine: Machine) -> None:
    def write(rate: int) -> None:
        machine.write(
            secrets={"bf_key": {"env": "BF"}, "by_key": {"env": "BY"}},
            connectors={
                "bf": {"type": "sim", "config": {"symbols": ["${secret:bf_key}"], "rate": rate}},
                "by": {"type": "sim", "config": {"symbols": ["${secret:by_key}"]}},
            },
        )

    write(50)
    bf, by = {"BF": _SECRETS["KEY"]}, {"BY": _SECRETS["FILE"]}
    assert machine.hftstack("up", machine.file, "by").code == 3
    assert machine.hftstack("plan", machine.file, "by", env=by).code == 0
    assert machine.hftstack("up", machine.file, "by", env=by).code == 0
    assert _found_on_disk(machine) == {_config(machine, "by")}
    started = machine.hftstack("start", "bf")
    assert started.code == 5
    assert "its secrets were not read when other units were brought in: `hftstack up FILE bf` reads them" in started.err

    pid = machine.pids()["by"]
    assert machine.hftstack("up", machine.file, "bf", env=bf).code == 0
    assert _found_on_disk(machine) == {_config(machine, "bf"), _config(machine, "by")}
    assert machine.pids()["by"] == pid
    assert machine.hftstack("plan", machine.file, "--exit-code", env={**bf, **by}).code == 0
    write(60)
    assert machine.hftstack("up", machine.file, "bf", env=bf).code == 0
    assert machine.pids()["by"] == pid
    assert machine.status()["units"]
    assert "has changed since" not in machine.hftstack("status").said
    machine.down()
    assert _found_on_disk(machine) == set()
