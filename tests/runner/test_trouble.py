"""Connectors that die, hang, flood, refuse to end; and a Python that ends before they do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from orchestrator import ConnectorHaltedError, ConnectorNotFoundError, ConnectorRunner, ConnectorStartupError
from orchestrator.deployment.homes import locate
from orchestrator.supervise import halt
from orchestrator.supervise.process import identity
from tests.children import until
from tests.isolation import shared_memory
from tests.runner.conftest import FUTURES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.runner.conftest import Bench

_SCRIPT = """
import sys
import time
from pathlib import Path
from orchestrator import ConnectorConfig, ConnectorRunner
runner = ConnectorRunner(ConnectorConfig("bf", "sim", Path("bf.toml"), **{options}))
def tell():
    while runner.process is None:
        time.sleep(0.01)
    print(runner.process.pid, flush=True)
{body}
"""


class _Script:
    """A Python program that runs the simulator."""

    def __init__(self, bench: Bench, body: str, text: str, options: dict[str, object] | None) -> None:
        bench.file("bf.toml", text)
        program = bench.file("program.py", _SCRIPT.format(options=options or {}, body=body))
        self.process = subprocess.Popen(
            [sys.executable, program],
            cwd=bench.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._pid = 0

    @property
    def pid(self) -> int:
        """The connector's pid, as the program tells it."""
        if not self._pid:
            assert self.process.stdout is not None
            self._pid = int(self.process.stdout.readline())
        return self._pid

    def close(self) -> None:
        with suppress(ProcessLookupError):
            if self._pid and identity(self._pid) is not None:
                os.kill(self._pid, signal.SIGKILL)
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def script(bench: Bench, request: pytest.FixtureRequest) -> Iterator[_Script]:
    body, text, options = request.param
    started = _Script(bench, body, text, options)
    yield started
    started.close()


def test_a_connector_of_a_user_who_halted_everything_may_not_start(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = locate({"HFTSTACK_HOME": str(bench.folder / "h")})
    monkeypatch.setenv("HFTSTACK_HOME", str(bench.folder / "h"))
    home.prepare()
    halt.latch(home, "the model is wrong", "alice")
    runner = bench.sim()
    with pytest.raises(ConnectorHaltedError, match=r"halted by alice at .*: the model is wrong") as error:
        runner.start()
    assert error.value.exit_code == 7
    assert runner.process is None

    halt.release(home)
    with runner:
        assert runner.is_running()


def test_a_start_that_dies_before_it_is_live_is_tried_again_and_another_process_gets_there(bench: Bench) -> None:
    runner = bench.sim('die_before_live = 2\nstate = "starts"')
    runner.start()
    first = runner.process
    assert runner.wait_for_ready() is True

    assert runner.process is not first
    assert runner.get_output()[0].count("dying before the channel opens") == 2
    assert (bench.folder / "starts").read_text() == "3\n"


def test_a_start_that_always_dies_ends_with_its_last_output_and_its_exit(bench: Bench) -> None:
    runner = bench.sim("die_before_live = true\nexit_code = 3")
    runner.start()
    with pytest.raises(ConnectorStartupError) as caught:
        runner.wait_for_ready()

    assert "before its channel was open: exit 3, also in 4 retries" in str(caught.value)
    assert "dying before the channel opens, as told" in str(caught.value)
    assert not runner.is_running()


def test_retries_end_with_the_time_that_is_given(bench: Bench) -> None:
    runner = bench.sim("die_before_live = true")
    runner.start()
    with pytest.raises(ConnectorStartupError) as caught:
        runner.wait_for_ready(0.05)

    assert "4 retries" not in str(caught.value)


def test_what_the_upstream_connector_says_becomes_advice(bench: Bench) -> None:
    runner = bench.script('echo "This connector doesn\'t exist." >&2; exit 1')
    runner.start()
    with pytest.raises(ConnectorStartupError) as caught:
        runner.wait_for_ready(5)

    assert "name the cargo feature" in str(caught.value)


def test_a_connector_that_never_opens_its_channel_is_late_and_runs_on(bench: Bench) -> None:
    runner = bench.script("echo still here; exec sleep 1000")
    runner.start()
    with pytest.raises(ConnectorStartupError) as caught:
        runner.wait_for_ready(0.5)

    assert "the channel is not open after 0.5 s" in str(caught.value)
    assert "still here" in str(caught.value)
    assert runner.is_running()


def test_one_that_is_late_may_be_waited_for_again(bench: Bench) -> None:
    runner = bench.sim("slow_start = 2.0")
    runner.start()
    with pytest.raises(ConnectorStartupError, match="not open"):
        runner.wait_for_ready(0.01)

    assert runner.wait_for_ready(60)


def test_in_a_with_a_failed_start_leaves_nothing(bench: Bench) -> None:
    runner = bench.script("exec sleep 1000", startup_timeout=0.3)
    with pytest.raises(ConnectorStartupError), runner:
        pass

    assert runner.process is not None
    assert identity(runner.process.pid) is None


def test_a_channel_that_a_living_process_holds_is_refused_with_its_pid(bench: Bench) -> None:
    with bench.sim() as first:
        second = bench.sim()
        assert first.process is not None
        with pytest.raises(ConnectorStartupError, match=f"held by pid {first.process.pid} "):
            second.start()
        assert second.process is None

        assert first.is_running()


def test_an_iceoryx2_config_that_ends_every_connector_is_named_before_one_starts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = bench.sim()
    elsewhere = bench.folder / "elsewhere"
    (elsewhere / "config").mkdir(parents=True)
    broken = bench.file("elsewhere/config/iceoryx2.toml", "[global")
    monkeypatch.chdir(elsewhere)
    with pytest.raises(ConnectorStartupError) as caught:
        runner.start()

    assert caught.value.where == str(broken)


@pytest.mark.parametrize("content", ["\x7fELF", "#!/no/such/interpreter\n"])
def test_a_file_that_is_no_program_is_named(bench: Bench, content: str) -> None:
    program = bench.file("connector", content)
    program.chmod(0o755)
    runner = bench.runner("binancefutures", FUTURES, binary_path=program, auto_build=False)
    with pytest.raises((ConnectorStartupError, ConnectorNotFoundError)) as caught, runner:
        pass

    assert str(program) in str(caught.value)


def test_one_that_ignores_sigterm_is_killed_after_its_time_and_that_is_logged(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    runner = bench.sim("ignore_sigterm = true", shutdown_timeout=0.6)
    with runner:
        pass

    assert runner.process is not None
    assert runner.process.returncode == -signal.SIGKILL
    assert "did not end within 0.6 s and was killed" in caplog.text


def test_what_a_killed_one_leaves_in_shared_memory_is_removed(bench: Bench, paper_binaries: Path) -> None:
    runner = bench.paper(paper_binaries, shutdown_timeout=0.6)
    with runner:
        assert runner.process is not None
        os.kill(runner.process.pid, signal.SIGSTOP)

    assert runner.process.returncode == -signal.SIGKILL
    assert shared_memory(bench.folder) == []


def test_the_time_to_end_may_be_given_with_the_stop(bench: Bench) -> None:
    runner = bench.sim("ignore_sigterm = true", shutdown_timeout=1000)
    with runner:
        runner.stop(0.5)

    assert runner.process is not None
    assert runner.process.returncode == -signal.SIGKILL


def test_one_that_misses_most_sigterms_is_ended_without_sigkill(bench: Bench) -> None:
    runner = bench.sim("ignore_sigterm = 20", shutdown_timeout=60)
    with runner:
        pass

    assert runner.process is not None
    assert runner.process.returncode == 0
    assert runner.get_output()[0].count("ignoring a signal") == 20


def test_one_that_floods_its_output_is_never_blocked(bench: Bench) -> None:
    with bench.sim("flood_log = 20000") as runner:
        until(lambda: len(runner.get_output()[0]) > 1 << 20)
        assert runner.is_running()

    assert len(runner.get_output()[0]) > 1 << 20
    assert runner.process is not None
    assert runner.process.returncode == 0


def test_a_stop_right_after_a_start_ends_it_too(bench: Bench, paper_binaries: Path) -> None:
    runner = bench.paper(paper_binaries)
    for _ in range(5):
        runner.start()
        runner.stop()
        assert not runner.is_running()
        assert runner.process is not None
        assert runner.process.returncode != -signal.SIGKILL


@pytest.mark.parametrize("script", [("with runner:\n    tell()", "", {"capture_output": False})], indirect=True)
def test_output_that_is_not_kept_goes_where_ours_goes(script: _Script) -> None:
    said, _ = script.process.communicate(timeout=60)

    assert "sim: live" in said


@pytest.mark.parametrize("script", [("runner.start()\nrunner.wait_for_ready()\ntell()", "", None)], indirect=True)
def test_a_program_that_ends_without_a_stop_stops_its_connector(script: _Script) -> None:
    pid = script.pid
    assert script.process.wait(60) == 0, script.process.stderr

    assert identity(pid) is None


_FORK = """
import os
runner.start()
runner.wait_for_ready()
if os.fork() == 0:
    sys.exit(0)
os.wait()
print(runner.is_running())
"""


@pytest.mark.parametrize(
    "script",
    [(_FORK, "", None)],
    indirect=True,
)
def test_a_fork_of_the_program_stops_nothing(script: _Script) -> None:
    said, _ = script.process.communicate(timeout=60)

    assert said == "True\n"


@pytest.mark.parametrize(
    "script",
    [
        ("with runner:\n    tell()\n    time.sleep(1000)", "", None),
        (
            "import threading\nthreading.Thread(target=tell).start()\nwith runner:\n    pass",
            "[faults]\nslow_start = 60.0",
            {"startup_timeout": 60},
        ),
    ],
    indirect=True,
    ids=["while it runs", "while it starts"],
)
def test_ctrl_c_stops_it(script: _Script) -> None:
    pid = script.pid
    assert identity(pid) is not None
    script.process.send_signal(signal.SIGINT)
    assert script.process.wait(60) != 0
    assert script.process.stderr is not None

    assert "KeyboardInterrupt" in script.process.stderr.read()
    assert identity(pid) is None


@pytest.mark.parametrize("script", [("with runner:\n    tell()\n    time.sleep(1000)", "", None)], indirect=True)
def test_a_killed_program_leaves_its_connector_and_the_next_start_names_it(bench: Bench, script: _Script) -> None:
    pid = script.pid
    script.process.kill()
    script.process.wait()
    assert identity(pid) is not None
    runner: ConnectorRunner = bench.sim()
    with pytest.raises(ConnectorStartupError, match=f"held by pid {pid} "):
        runner.start()
