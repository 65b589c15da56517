from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator import venue
from orchestrator.engine import service
from orchestrator.errors import RefusedError

if TYPE_CHECKING:
    from orchestrator.stack.model import Stack

_SYSTEM = service.Service("s", is_system=True, folder=Path("/etc/systemd/system"))


def _stack(folder: Path, more: str = "", *, name: str = "s.yaml") -> Stack:
    file = folder / name
    file.write_text(
        "version: 1\nname: s\nnetwork: local\n"
        "bots:\n  mm: {command: [sleep, '1'], stop: {grace: 90s}}\n"
        "services:\n  db: {command: [sleep, '1'], stop: {grace: 7s}}\n" + more,
        encoding="utf-8",
    )
    return venue.load(file, {})


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_the_unit_file_keeps_the_promises_of_the_supervisor(tmp_path: Path) -> None:
    lines = _lines(service.text(_stack(tmp_path), _SYSTEM, {}))
    assert {"Type=notify", "NotifyAccess=all", "KillMode=process", "Restart=always", "WatchdogSec=30"} <= set(lines)
    assert "TimeoutStopSec=127" in lines  # both graces, and a reserve
    assert "RestartPreventExitStatus=0 2 3 7" in lines  # `hftstack down` stays down
    assert f"ExecStart={' '.join(service.program())} up --foreground --take-over --no-build {tmp_path}/s.yaml" in lines
    assert "WantedBy=multi-user.target" in lines
    (tmp_path / "s.lock").touch()
    locked = _lines(service.text(_stack(tmp_path), _SYSTEM, {}))
    assert [line.replace(" --locked", "") for line in locked] == lines
    assert f" --no-build --locked {tmp_path}/s.yaml" in next(line for line in locked if line.startswith("ExecStart="))


_ANALYZE = shutil.which("systemd-analyze")


@pytest.mark.skipif(_ANALYZE is None, reason="systemd-analyze is missing")
def test_systemd_finds_nothing_wrong_with_it_even_on_a_path_full_of_its_own_signs(tmp_path: Path) -> None:
    folder = tmp_path / 'a $HOME %h "b" \\c'
    folder.mkdir()
    of = service.Service("s", is_system=True, folder=tmp_path)
    content = service.text(_stack(folder), of, {"PATH": "/usr/bin:/bin", "HFTSTACK_HOME": "/srv/it's %n"})
    of.file.write_text(content, encoding="utf-8")
    done = subprocess.run([str(_ANALYZE), "verify", of.file], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert 'a $$HOME %%h \\"b\\" \\\\c/s.yaml"' in content
    assert 'Environment="HFTSTACK_HOME=/srv/it\'s %%n"' in content


def test_a_service_has_of_the_environment_what_units_inherit_and_hftstacks_own_and_nothing_else(tmp_path: Path) -> None:
    environ = {"PATH": "/bin", "HFTSTACK_HOME": "/srv/h", "BINANCE_KEY": "do-not-write", "HOME": "/root", "TZ": ""}
    content = service.text(_stack(tmp_path), _SYSTEM, environ)
    assert [line for line in _lines(content) if "Environment=" in line] == [
        "Environment=PATH=/bin",
        "Environment=HOME=/root",
        "Environment=TZ=",
        "Environment=HFTSTACK_HOME=/srv/h",
        "UnsetEnvironment=USER LANG TMPDIR XDG_RUNTIME_DIR",  # systemd would set some of them itself
    ]
    assert "do-not-write" not in content


def test_a_credential_is_loaded_and_a_variable_that_no_service_has_is_refused(tmp_path: Path) -> None:
    content = service.text(_stack(tmp_path, "secrets:\n  key: {credential: bf_key}\n"), _SYSTEM, {})
    assert "LoadCredential=bf_key" in _lines(content)
    with pytest.raises(RefusedError) as refused:
        service.text(_stack(tmp_path, "secrets:\n  key: {env: BINANCE_KEY}\n"), _SYSTEM, {})
    assert "BINANCE_KEY" in refused.value.message
    assert refused.value.hint is not None
    assert "{credential: key}" in refused.value.hint


def test_root_gets_the_machines_service_and_everybody_else_one_of_their_own(tmp_path: Path) -> None:
    assert service.service("s", {"HOME": "/root"}, 0).file == Path("/etc/systemd/system/hftstack-s.service")
    own = service.service("s", {"HOME": str(tmp_path)}, 1000)
    assert own.file == tmp_path / ".config/systemd/user/hftstack-s.service"
    assert own.systemctl == ("systemctl", "--user")
    assert "WantedBy=default.target" in _lines(service.text(_stack(tmp_path), own, {}))


def test_a_user_who_does_not_linger_is_refused_with_the_command_that_cures_it(tmp_path: Path) -> None:
    uid = os.geteuid()
    user = pwd.getpwuid(uid).pw_name
    own = service.Service("s", is_system=False, folder=tmp_path)
    with pytest.raises(RefusedError) as refused:
        service.refuse_logout(own, uid, tmp_path)
    assert refused.value.hint == f"loginctl enable-linger {user}"
    (tmp_path / user).touch()
    service.refuse_logout(own, uid, tmp_path)
    service.refuse_logout(_SYSTEM, uid, tmp_path / "none")
