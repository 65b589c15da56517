"""What an ordinary user sees: another uid, no capability, a home of their own."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.harness import pair

if TYPE_CHECKING:
    from tests.integration.harness import Machine

_NOBODY = 65534
_AS_NOBODY = ("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", "--inh-caps=-all", "--")


def _can_drop() -> bool:
    places = (Path(__file__).parents[2], Path(sys.executable), Path(sys.executable).resolve())
    return os.geteuid() == 0 and shutil.which("setpriv") is not None and all(map(_may_read, places))


def _may_read(path: Path) -> bool:
    return all(place.stat().st_mode & 0o005 == 0o005 for place in (path, *path.parents))


@pytest.mark.skipif(not _can_drop(), reason="needs root, setpriv, and a checkout and a Python that everybody may read")
def test_an_ordinary_user_runs_a_stack_and_stops_it_cleanly(machine: Machine) -> None:
    machine.write(pair())
    for place in (machine.folder, *machine.folder.rglob("*")):
        os.chown(place, _NOBODY, _NOBODY)
    env = {"HOME": str(machine.folder)}
    up = machine.begin("up", machine.file, env=env, prefix=_AS_NOBODY).done()
    assert up.code == 0, up.said
    units = machine.until_units(lambda units: units["bf"]["level"] == "fresh")
    for unit in units.values():
        assert Path(f"/proc/{unit['pid']}").stat().st_uid == _NOBODY
    down = machine.begin("down", env=env, prefix=_AS_NOBODY).done()
    assert down.code == 0, down.said
    assert machine.left() == {}


@pytest.mark.skipif(not _can_drop(), reason="needs root, setpriv, and a checkout and a Python that everybody may read")
def test_another_user_can_neither_see_nor_stop_a_stack(machine: Machine) -> None:
    machine.write(connectors={"bf": {"type": "sim"}})
    machine.up()
    before = machine.pids()
    machine.folder.chmod(0o755)
    for words in (("status", "s"), ("down", "s")):
        done = machine.begin(*words, prefix=_AS_NOBODY).done()
        assert done.code == 7, done.said
        assert "Traceback" not in done.err
    assert machine.pids() == before
    machine.down()


@pytest.mark.skipif(not _can_drop(), reason="needs root, setpriv, and a checkout and a Python that everybody may read")
def test_an_ordinary_user_halts_what_a_hung_supervisor_runs(machine: Machine) -> None:
    machine.write(pair())
    for place in (machine.folder, *machine.folder.rglob("*")):
        os.chown(place, _NOBODY, _NOBODY)
    env = {"HOME": str(machine.folder)}
    up = machine.begin("up", machine.file, env=env, prefix=_AS_NOBODY).done()
    assert up.code == 0, up.said
    os.kill(machine.supervisor(), signal.SIGSTOP)
    halt = machine.begin("halt", "--reason", "the model is wrong", env=env, prefix=_AS_NOBODY).done()
    assert halt.code == 0, halt.said
    assert machine.left() == {}
    again = machine.begin("up", machine.file, env=env, prefix=_AS_NOBODY).done()
    assert again.code == 7
    assert "the model is wrong" in again.err
