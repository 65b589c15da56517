"""The supervisor's program, asked over its socket; what the command line adds is in tests/integration."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator import files
from orchestrator.control.client import Client
from orchestrator.deployment import codec
from orchestrator.deployment.homes import locate
from orchestrator.deployment.model import (
    FORMAT,
    Deployment,
    Endpoint,
    File,
    Limit,
    ReadyCheck,
    Resources,
    Restart,
    RestartPolicy,
    UnitSpec,
)
from orchestrator.errors import HftstackError, RefusedError, UsageError
from orchestrator.supervise import lock, records
from orchestrator.supervise.bucket import Buckets
from orchestrator.supervise.launch import command
from orchestrator.supervise.records import Intent, Intents, UnitIntent
from tests.children import until
from tests.supervise.specs import bot, service

if TYPE_CHECKING:
    from collections.abc import Iterator

_ONE_RESTART = Restart(RestartPolicy.ON_FAILURE, limit=Limit(1, 600.0))


def _shell(spec: UnitSpec, line: str, **more: Any) -> UnitSpec:  # noqa: ANN401 - fields of the spec
    return replace(
        spec,
        argv=("/bin/sh", "-c", line),
        executable=File("/bin/sh", "00"),
        env=(("PATH", "/usr/bin:/bin"),),
        grace=2.0,
        **more,
    )


def _sleeper(spec: UnitSpec) -> UnitSpec:
    return _shell(spec, "exec sleep 1000")


class _Program:
    """One supervisor after another, of one stack."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hs", dir="/tmp"))
        self.environ = {"PATH": os.environ["PATH"], "HFTSTACK_HOME": str(self.folder / "h")}
        self.home = locate(self.environ).stack("s")
        self.home.prepare()
        self.err = self.folder / "err"
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        """Start a supervisor and return once it listens."""
        process = self.begin(*options)
        until(lambda: self.listens() or process.poll() is not None)
        assert process.poll() is None, self.said()
        return process

    def begin(self, *options: str) -> subprocess.Popen[bytes]:
        with self.err.open("wb") as err:
            argv = command(self.home, *options)
            process = subprocess.Popen(argv, env=self.environ, stdin=subprocess.DEVNULL, stderr=err)
        self._started.append(process)
        return process

    def listens(self) -> bool:
        try:
            Client(self.home.socket).close()
        except HftstackError:
            return False
        return True

    def said(self) -> str:
        return self.err.read_text()

    def client(self) -> Client:
        return Client(self.home.socket, timeout=30)

    def apply(self, *units: UnitSpec, file: str = "/s.yaml", **params: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        deployment = Deployment("s", file, "local", units)
        with self.client() as client:
            result: dict[str, Any] = client.call("apply", {"deployment": codec.plain(deployment), **params})
        return result

    def units(self) -> dict[str, dict[str, Any]]:
        with self.client() as client:
            return {unit["name"]: unit for unit in client.call("status")["units"]}

    def until_another_supervises(self, before: int | None) -> None:
        until(lambda: lock.holder(self.home.lock) not in {None, before} and self.listens())

    def until_units(self, condition: Any) -> dict[str, dict[str, Any]]:  # noqa: ANN401 - a callable
        found: dict[str, dict[str, Any]] = {}

        def look() -> bool:
            found.clear()
            found.update(self.units())
            return bool(condition(found))

        until(look)
        return found

    def close(self) -> None:
        for process in self._started:
            process.kill()
            process.wait()
        supervisor = lock.holder(self.home.lock)
        if supervisor:
            os.kill(supervisor, signal.SIGKILL)
        needle = os.fsencode(self.folder)
        prefix = f"HFTSTACK_UNIT={os.geteuid()}/{self.home.home.digest}/".encode()
        for _ in range(50):
            found = [pid for pid in _pids() if _mentions(pid, needle, prefix)]
            for pid in found:
                os.kill(pid, signal.SIGKILL)
            if not found:
                break
        shutil.rmtree(self.folder)


def _pids() -> list[int]:
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    return [pid for pid in pids if pid != os.getpid()]


def _mentions(pid: int, *needles: bytes) -> bool:
    try:
        environ = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return any(needle in environ for needle in needles)


@pytest.fixture
def program() -> Iterator[_Program]:
    """A stack's supervisor, run as the program that it is."""
    started = _Program()
    yield started
    started.close()


def test_a_second_supervisor_of_a_stack_is_refused(program: _Program) -> None:
    first = program.start()
    second = program.begin()
    assert second.wait(20) == 7
    assert f"guarded already, by pid {first.pid}" in program.said()


def test_sigterm_is_an_ordered_down_and_exit_0(program: _Program) -> None:
    supervisor = program.start()
    assert program.apply(_sleeper(service("a")), _sleeper(bot("b", "a")))["reached"]
    pids = [unit["pid"] for unit in program.units().values()]
    supervisor.send_signal(signal.SIGHUP)
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(20) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert not program.home.runtime.exists()


def test_a_second_sigterm_takes_the_grace_away_from_bots(program: _Program) -> None:
    supervisor = program.start()
    deaf = _shell(bot("b"), "trap '' TERM; echo deaf; while :; do sleep 0.05; done")
    program.apply(replace(deaf, grace=1000.0))
    until(lambda: "deaf" in Path(program.units()["b"]["log"]).read_text())
    supervisor.send_signal(signal.SIGTERM)
    program.until_units(lambda units: units["b"]["state"] == "stopping")
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(20) == 0


def test_a_deployment_in_a_file_is_brought_in_at_once(program: _Program) -> None:
    path = program.folder / "bring.json"
    deployment = Deployment("s", "/s.yaml", "local", (_sleeper(service("a")),))
    files.replace_file(path, records.seal(deployment), durable=False)
    program.start("--deployment", str(path))
    program.until_units(lambda units: units["a"]["state"] == "up")
    assert not path.exists()
    assert records.read_deployment(program.home.deployment) == deployment


def test_the_next_supervisor_brings_back_what_is_wanted_and_leaves_what_is_not(program: _Program) -> None:
    names = ("gone", "failed", "finished", "stopped")
    units = tuple(_sleeper(bot(name)) for name in names)
    deployment = Deployment("s", "/s.yaml", "local", units)
    files.replace_file(program.home.deployment, records.seal(deployment), durable=True)
    intents = {
        "gone": UnitIntent(Intent.UP),
        "failed": UnitIntent(Intent.FAILED, "exit 3"),
        "finished": UnitIntent(Intent.FINISHED),
        "stopped": UnitIntent(Intent.STOPPED),
    }
    files.replace_file(program.home.intent, records.seal(Intents(intents)), durable=True)
    program.start()
    found = program.until_units(lambda units: units["gone"]["state"] == "up")
    assert [found[name]["state"] for name in names] == ["up", "failed", "finished", "stopped"]
    assert found["failed"]["why"] == "exit 3"
    assert records.read_intents(program.home.intent).units == intents


def test_one_that_was_never_given_anything_leaves_and_one_whose_units_are_all_stopped_stays(program: _Program) -> None:
    used = program.start("--hold")
    program.apply(_sleeper(service("a")))
    with program.client() as client:
        assert client.call("stop", {"units": ["a"]})["stopped"] == ["a"]
    other = _Program()
    try:
        assert other.start("--hold").wait(60) == 0
    finally:
        other.close()
    assert used.poll() is None
    with program.client() as client:
        assert client.call("start", {"units": ["a"]})["reached"]


def test_with_hold_nothing_that_is_down_is_started(program: _Program) -> None:
    deployment = Deployment("s", "/s.yaml", "local", (_sleeper(service("a")),))
    files.replace_file(program.home.deployment, records.seal(deployment), durable=True)
    program.start("--hold")
    assert program.units()["a"]["state"] == "stopped"
    assert program.apply(_sleeper(service("a")))["reached"]


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({}, UsageError),
        ({"deployment": None}, UsageError),
        ({"deployment": {"format": FORMAT}}, UsageError),
        ({"deployment": {"format": 99}}, RefusedError),
        ({"deployment": codec.plain(Deployment("other", "/s.yaml", "local", ()))}, UsageError),
    ],
)
def test_what_is_no_deployment_of_this_stack_is_refused_and_changes_nothing(
    program: _Program, params: dict[str, Any], error: type[HftstackError]
) -> None:
    program.start()
    program.apply(_sleeper(service("a")))
    before = program.units()["a"]["pid"]
    with program.client() as client, pytest.raises(error):
        client.call("apply", params)
    assert program.units()["a"]["pid"] == before


def test_a_deployment_whose_rendered_config_is_gone_is_refused_and_changes_nothing(program: _Program) -> None:
    program.start()
    program.apply(_sleeper(service("a")))
    before = program.units()["a"]["pid"]
    gone = File(str(program.home.configs / "b-00.toml"), "00")
    with pytest.raises(RefusedError, match="a rendered config was removed meanwhile") as caught:
        program.apply(_sleeper(service("a")), replace(_sleeper(service("b")), files=(gone,)))

    assert caught.value.where == gone.path
    assert {name: unit["pid"] for name, unit in program.units().items()} == {"a": before}


def test_another_files_deployment_is_refused_while_units_run(program: _Program) -> None:
    program.start()
    program.apply(_sleeper(service("a")))
    with pytest.raises(RefusedError, match=r"is running from /s\.yaml"):
        program.apply(_sleeper(service("a")), file="/t.yaml")


def test_an_apply_ends_with_the_unit_that_failed_and_says_which(program: _Program) -> None:
    program.start()
    bad = _shell(service("bad"), "exit 3", restart=_ONE_RESTART, ready=ReadyCheck(log="never"))
    result = program.apply(_sleeper(service("a")), bad, _sleeper(bot("b", "bad")))
    assert (result["reached"], result["blocked"]) == (False, ["bad", "b"])
    units = program.units()
    assert (units["bad"]["state"], units["bad"]["exit"], units["bad"]["restarts"]) == ("failed", 3, 1)
    assert (units["b"]["state"], units["b"]["waits_for"]) == ("waiting", ["bad"])
    assert units["a"]["state"] == "up"


def test_a_program_that_cannot_be_started_fails_with_the_reason(program: _Program) -> None:
    program.start()
    missing = replace(
        _sleeper(service("a")), argv=("/no/such/program",), ready=ReadyCheck(log="^never$"), restart=_ONE_RESTART
    )
    result = program.apply(missing)
    assert result["blocked"] == ["a"]
    assert "/no/such/program" in Path(program.units()["a"]["log"]).read_text()


def test_units_see_nothing_of_the_supervisors_environment(program: _Program) -> None:
    program.environ["SECRET_OF_THE_CALLER"] = "x"
    program.environ["HFTSTACK_UNIT"] = "0/a/b/c/d/1"
    program.start()
    program.apply(_sleeper(service("a")))
    pid = program.units()["a"]["pid"]
    environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    assert {item.partition(b"=")[0] for item in environ if item} <= {b"PATH", b"PWD", b"HFTSTACK_UNIT"}
    assert not any(b"0/a/b/c/d/1" in item for item in environ)


def test_no_unit_leaves_a_core_file_unless_it_is_asked_for_one(program: _Program) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    try:
        program.start()
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
    asked = Resources(limits=(("core", 0 if hard == 0 else 1024),))
    line = "ulimit -c; exec sleep 1000"
    told = program.apply(_shell(service("a"), line), _shell(service("b"), line, resources=asked))
    a, b = (Path(unit["log"]) for unit in told["units"])
    until(lambda: a.read_text() == "0\n" and b.read_text() == f"{0 if hard == 0 else 2}\n")


def test_logs_are_kept_a_file_a_start_and_not_for_ever(program: _Program) -> None:
    program.start()
    quick = Restart(RestartPolicy.ON_FAILURE, limit=Limit(25, 600.0))
    quick = replace(quick, backoff=replace(quick.backoff, initial=0.001, maximum=0.001))
    program.apply(_shell(service("a"), "echo $$; exit 1", restart=quick))
    program.until_units(lambda units: units["a"]["state"] == "failed")
    logs = sorted(file for file in (program.home.logs / "a").iterdir())
    assert 2 <= len(logs) <= 20
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in logs)
    assert len({file.read_text() for file in logs}) == len(logs)


def test_a_bot_that_dies_while_nobody_supervises_it_is_not_started_again_without_being_asked(program: _Program) -> None:
    first = program.start()
    program.apply(_sleeper(bot("b")), _sleeper(service("a")))
    pids = {name: unit["pid"] for name, unit in program.units().items()}
    until(lambda: '"begun":false' not in program.home.units.read_text())
    supervisor = lock.holder(program.home.lock)
    for pid in (first.pid, supervisor, *pids.values()):
        os.kill(pid, signal.SIGKILL)
    first.wait()
    until(lambda: not any(Path(f"/proc/{pid}/cwd").exists() for pid in pids.values()))
    until(lambda: lock.holder(program.home.lock) is None and not program.listens())  # its threads have ended, too
    program.start()
    units = program.until_units(lambda units: units["a"]["state"] == "up")
    assert (units["b"]["state"], units["b"]["pid"], units["a"]["restarts"]) == ("failed", None, 1)
    with program.client() as client:
        client.call("start", {"units": ["b"]})
    program.until_units(lambda units: units["b"]["state"] == "up")


def test_a_bot_that_is_being_stopped_when_the_supervisor_dies_is_told_once_and_starts_again(program: _Program) -> None:
    program.start()
    go = program.folder / "go"
    line = f"n=0; trap 'n=$((n+1)); echo told $n' TERM; echo up; until [ $n -gt 0 -a -e {go} ]; do sleep 0.05; done"
    program.apply(replace(_shell(bot("b"), line), grace=60.0))
    first = program.units()["b"]
    log = Path(first["log"])
    until(lambda: "up" in log.read_text())
    with program.client() as client:
        client.send("restart", {"units": ["b"]})
        until(lambda: "told 1" in log.read_text())
    supervisor = lock.holder(program.home.lock)
    os.kill(supervisor or 0, signal.SIGKILL)
    until(lambda: lock.holder(program.home.lock) not in {0, None, supervisor} and program.listens())
    assert program.until_units(lambda units: units["b"]["pid"] == first["pid"])["b"]["state"] == "stopping"
    go.touch()
    program.until_units(lambda units: units["b"]["state"] == "up" and units["b"]["pid"] != first["pid"])
    assert log.read_text().count("told") == 1


def test_an_orphan_is_reaped_and_no_zombie_stays(program: _Program) -> None:
    program.start()
    program.apply(_shell(service("a"), "setsid sh -c 'sleep 0.05' & exec sleep 1000"))
    supervisor = lock.holder(program.home.lock)
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children")
    until(lambda: children.read_text().split() == [str(program.units()["a"]["pid"])])


def test_a_restart_waits_when_all_stacks_together_start_too_often_for_its_exchange(program: _Program) -> None:
    program.start()
    endpoint = Endpoint("stream.example", 443)
    unit = replace(_sleeper(service("a")), streams=(endpoint,))
    program.apply(unit)
    buckets = Buckets(program.home.home.buckets)
    while buckets.take(endpoint.host) == 0.0:
        pass
    pid = program.units()["a"]["pid"]
    os.kill(pid, signal.SIGKILL)
    held = program.until_units(lambda units: units["a"]["state"] == "backoff")["a"]
    assert held["why"] == "too many starts for stream.example, which may ban this address; waits its turn"
    assert (held["restarts"], held["pid"]) == (1, None)
    shutil.rmtree(program.home.home.buckets)
    program.until_units(lambda units: units["a"]["state"] == "up" and units["a"]["pid"] != pid)


def test_what_a_dead_main_process_had_started_is_killed_after_the_grace_however_much_it_is(program: _Program) -> None:
    program.start()
    deaf = "trap '' TERM; sleep 1000 & sleep 1000 & sleep 1000 & echo begun; wait"
    result = program.apply(replace(_shell(service("a"), deaf, restart=Restart(RestartPolicy.NEVER)), grace=0.3))
    unit = result["units"][0]
    until(lambda: "begun" in Path(unit["log"]).read_text())
    os.kill(unit["pid"], signal.SIGKILL)
    failed = program.until_units(lambda units: units["a"]["state"] == "failed")["a"]
    assert (failed["pid"], failed["why"]) == (None, "SIGKILL")


def test_a_guardian_that_cannot_write_its_log_guards_on(program: _Program) -> None:
    program.err = Path("/dev/full")
    guardian = program.start()
    assert program.apply(_sleeper(service("a")))["reached"]
    pid, supervisor = program.units()["a"]["pid"], lock.holder(program.home.lock)
    assert supervisor is not None
    os.kill(supervisor, signal.SIGKILL)
    program.until_another_supervises(supervisor)
    assert program.until_units(bool)["a"]["pid"] == pid
    assert guardian.poll() is None


def test_a_supervisor_whose_units_all_wait_for_their_next_start_takes_a_dead_guardians_place(program: _Program) -> None:
    guardian = program.start()
    patient = Restart(RestartPolicy.ON_FAILURE)
    patient = replace(patient, backoff=replace(patient.backoff, initial=1000.0, maximum=1000.0))
    program.apply(_shell(service("a"), "exit 1", restart=patient), timeout=0.01)
    program.until_units(lambda units: units["a"]["state"] == "backoff" and units["a"]["restarts"] > 0)
    supervisor = lock.holder(program.home.lock)
    guardian.kill()
    guardian.wait()
    program.until_another_supervises(supervisor)
    assert program.until_units(bool)["a"]["state"] != "stopped"
    os.kill(supervisor or 0, signal.SIGTERM)
    until(lambda: not program.home.runtime.exists())


def test_a_ready_line_is_found_in_the_log_of_a_process_that_no_record_names(program: _Program) -> None:
    guardian = program.start()
    unit = _shell(service("a"), "echo listening; exec sleep 1000", ready=ReadyCheck(log="listening"))
    pid = program.apply(unit)["units"][0]["pid"]
    supervisor = lock.holder(program.home.lock)
    guardian.kill()
    os.kill(supervisor or 0, signal.SIGKILL)
    guardian.wait()
    until(lambda: lock.holder(program.home.lock) is None and not program.listens())
    program.home.units.unlink()
    program.start("--hold")
    found = program.until_units(lambda units: units["a"]["state"] == "up")["a"]
    assert (found["pid"], Path(found["log"]).read_text()) == (pid, "listening\n")


def test_a_service_without_a_log_is_taken_as_ready(program: _Program) -> None:
    program.start()
    program.home.logs.mkdir(parents=True, exist_ok=True)
    (program.home.logs / "a").write_text("no folder")
    unit = _shell(service("a"), "exec sleep 1000", ready=ReadyCheck(log="listening"))
    result = program.apply(unit)
    assert (result["reached"], result["units"][0]["log"]) == (True, None)
