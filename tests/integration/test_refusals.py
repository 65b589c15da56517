from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.children import until
from tests.integration.harness import lives, pair

if TYPE_CHECKING:
    import subprocess

    from tests.integration.harness import Machine

_SECRET = "k3y-that-nobody-may-see"


def _sim(machine: Machine, program: str, name: str) -> subprocess.Popen[bytes]:
    return machine.other(sys.executable, "-m", "orchestrator.sim", program, name)


def test_a_channel_that_somebody_else_holds_is_named_and_nothing_is_started(machine: Machine) -> None:
    holder = _sim(machine, "connector", "bf")
    until(machine.shared_memory)
    machine.write(connectors={"by": {"type": "sim"}, "bf": {"type": "sim"}})

    def refused() -> Any:  # noqa: ANN401 - what the last command said
        done = machine.hftstack("up", machine.file)
        if done.code == 0:
            machine.hftstack("down")
        return done if done.code == 7 else None

    done = until(refused)
    assert f"pid {holder.pid} (" in done.err
    assert "orchestrator.sim connector bf" in done.err
    assert machine.members() == {}
    assert lives(holder.pid)


def test_a_bot_that_is_not_ours_refuses_down_unless_forced(machine: Machine) -> None:
    machine.write(pair())
    machine.up()
    stranger = _sim(machine, "bot", "bf")
    machine.until_units(lambda units: stranger.pid in {bot["pid"] for bot in units["bf"]["channel"]["bots"]})
    done = machine.hftstack("down", "s")
    assert done.code == 7
    assert f"pid {stranger.pid} (" in done.err
    assert "--force" in done.err
    assert machine.units()["bf"]["state"] == "up"
    assert machine.hftstack("down", "s", "--force").code == 0
    assert machine.members() == {}
    assert lives(stranger.pid)
    stranger.terminate()
    stranger.wait()


def test_a_bot_that_is_not_ours_does_not_hold_up_a_halt(machine: Machine) -> None:
    machine.write(pair())
    machine.up()
    stranger = _sim(machine, "bot", "bf")
    machine.until_units(lambda units: stranger.pid in {bot["pid"] for bot in units["bf"]["channel"]["bots"]})
    done = machine.hftstack("halt", "--reason", "the model is wrong")
    assert done.code == 0, done.said
    assert f"a bot that is not ours stays attached, and is blind: pid {stranger.pid} (" in done.err
    assert machine.members() == {}
    assert lives(stranger.pid)
    stranger.terminate()
    stranger.wait()


def test_a_bot_that_would_never_meet_its_connector_is_refused_before_anything_starts(machine: Machine) -> None:
    elsewhere = machine.folder / "elsewhere"
    (elsewhere / "config").mkdir(parents=True)
    (elsewhere / "config/iceoryx2.toml").write_text(f'[global]\nroot-path = "{elsewhere}/iox"\nprefix = "other_"\n')
    bot: dict[str, Any] = {"command": ["sleep", "600"], "cwd": str(elsewhere), "depends_on": ["bf"]}
    machine.write({**pair(), "bots": {"mm": bot}})
    done = machine.hftstack("up", machine.file)
    assert done.code == 7, done.said
    assert "mm: it would never meet bf" in done.err
    assert f"{elsewhere}/config/iceoryx2.toml" in done.err
    assert f"{machine.folder}/config/iceoryx2.toml" in done.err
    assert machine.members() == {}
    assert machine.hftstack("validate", machine.file).code == 0
    machine.write({**pair(), "bots": {"mm": {**bot, "attached": False}}})
    assert "warning: mm: it would never meet bf" in machine.up().err
    machine.down()


def test_two_files_cannot_run_stacks_of_one_name(machine: Machine) -> None:
    machine.write(connectors={"bf": {"type": "sim"}})
    machine.up()
    other = machine.folder / "other.yaml"
    machine.write(connectors={"by": {"type": "sim"}}, file=other)
    done = machine.hftstack("up", other)
    assert done.code == 7
    assert f"a stack named s is running from {machine.file}" in done.err
    assert machine.units().keys() == {"bf"}
    machine.down()
    assert machine.hftstack("up", other).code == 0
    assert machine.hftstack("down", other).code == 0
    assert machine.hftstack("down", machine.file).code in {0, 2}
    assert machine.left() == {}


def test_down_without_a_name_lists_the_stacks_when_several_run(machine: Machine) -> None:
    machine.write(connectors={"bf": {"type": "sim"}})
    machine.up()
    other = machine.folder / "t.yaml"
    machine.write({"name": "t"}, connectors={"by": {"type": "sim"}}, file=other)
    assert machine.hftstack("up", other).code == 0
    done = machine.hftstack("down")
    assert done.code == 2
    assert "s, t" in done.err
    assert machine.hftstack("down", "t").code == 0
    assert machine.hftstack("down").code == 0
    assert machine.left() == {}


@pytest.mark.parametrize(
    ("section", "value", "place", "text"),
    [
        ("connectors", {"bf": {"type": "sim", "config": "missing.toml"}}, ":7:", "missing.toml"),
        ("connectors", {"bf": {"type": "sim", "config": "broken.toml"}}, "broken.toml:2", "broken.toml"),
        ("connectors", {"bf": {"type": "sim", "config": "folder"}}, ":7:", "folder"),
        ("connectors", {"bf": {"type": "sim", "conifg": {}}}, ":7:", "config"),
        ("connectors", {"bf": {"type": "sim", "restart": {"policy": "no"}}}, ":8:", "never"),
        ("services", {"p": {"command": ["./missing"]}}, None, "./missing"),
        ("services", {"p": {"command": ["no-such-program-anywhere"]}}, None, "no-such-program-anywhere"),
    ],
)
def test_a_stack_that_cannot_run_is_refused_with_the_place_and_nothing_happens(
    machine: Machine, section: str, value: dict[str, Any], place: str | None, text: str
) -> None:
    (machine.folder / "broken.toml").write_text(f'api_key = "{_SECRET}"\nrate = {_SECRET}\n', encoding="utf-8")
    (machine.folder / "folder").mkdir()
    machine.write({section: value})
    done = machine.hftstack("up", machine.file)
    assert done.code == 3, done.said
    assert text.strip("./") in done.err
    if place is not None:
        assert place in done.err
    assert "Traceback" not in done.err
    assert _SECRET not in done.said
    assert machine.processes() == {}
    assert not (machine.state / "deployment.json").exists()


def test_no_secret_of_a_config_is_anywhere_but_in_the_rendered_configs(machine: Machine) -> None:
    faults = {"state": f"/{_SECRET}"}
    machine.write(pair({"rate": 100, "faults": faults}))
    said = machine.up().said
    machine.until_units(lambda units: units["bf"]["level"] == "fresh")
    for words in (
        ("status",),
        ("status", "--format", "json"),
        ("logs", "-s", "s"),
        ("events", "s"),
        ("probe", "s"),
        ("validate", "s.yaml"),
    ):
        said += machine.hftstack(*words).said
    machine.kill_supervisor()
    said += machine.hftstack("status", "s").said
    said += machine.up().said
    files = [file for file in machine.home.rglob("*") if file.is_file()]
    holding = [file for file in files if _SECRET.encode() in file.read_bytes()]
    assert [file.parent for file in holding] == [machine.runtime / "configs"]
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in holding)
    said += machine.down().said
    assert _SECRET not in said
    assert not any(_SECRET.encode() in file.read_bytes() for file in machine.home.rglob("*") if file.is_file())


def test_the_callers_environment_reaches_no_process_of_the_stack(machine: Machine) -> None:
    machine.write(pair())
    keys = {"BINANCE_KEY": _SECRET, "SSH_AUTH_SOCK": f"/{_SECRET}"}
    assert machine.hftstack("up", machine.file, env=keys).code == 0
    before = machine.pids()
    for pid in machine.processes():
        assert _SECRET.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
    # and a different caller's environment is no change
    assert "nothing to change" in machine.up().out
    assert machine.pids() == before
    machine.down()
