"""Start, ready, output, stop: what the interface promises of a connector that does nothing strange."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from orchestrator import ConnectorRunner, ConnectorRunnerError, ConnectorStartupError
from orchestrator.channel import Probe, Verdict, locate, scan_nodes
from orchestrator.supervise.process import identity
from tests.children import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runner.conftest import Bench


def _verdict(bench: Bench, runner: ConnectorRunner) -> Verdict:
    location = locate(bench.folder, None)
    probe = Probe(location, runner.config.connector_name)
    try:
        assert runner.process is not None
        return probe.scan(scan_nodes(location), pid=runner.process.pid).verdict
    finally:
        probe.close()


def _gone(runner: ConnectorRunner) -> bool:
    assert runner.process is not None
    return identity(runner.process.pid) is None


@pytest.mark.parametrize("which", ["sim", "paper"])
def test_with_means_live_inside_and_gone_after(bench: Bench, paper_binaries: Path, which: str) -> None:
    runner = bench.sim() if which == "sim" else bench.paper(paper_binaries)
    with runner as entered:
        assert entered is runner
        assert runner.is_running()
        assert _verdict(bench, runner) is Verdict.LIVE

    assert not runner.is_running()
    assert _gone(runner)
    assert runner.process is not None
    assert runner.process.returncode != -signal.SIGKILL


def test_an_exception_inside_stops_it_too(bench: Bench) -> None:
    runner = bench.sim()
    with pytest.raises(ZeroDivisionError), runner:
        _ = 1 / 0

    assert _gone(runner)


def test_by_hand_it_starts_gets_ready_stops_and_has_its_output_after(bench: Bench, paper_binaries: Path) -> None:
    runner = bench.paper(paper_binaries)
    runner.build_if_missing()
    runner.start()
    assert runner.wait_for_ready() is True
    until(lambda: "market data stream" in runner.get_output()[0])
    runner.stop()

    stdout, stderr = runner.get_output()
    assert "market data stream" in stdout
    assert isinstance(stderr, str)


def test_output_is_kept_apart_and_is_there_while_it_runs_and_after(bench: Bench) -> None:
    runner = bench.script("echo out; echo err >&2; exec sleep 1000")
    runner.start()
    until(lambda: runner.get_output() == ("out\n", "err\n"))
    runner.stop(0.2)

    assert runner.get_output() == ("out\n", "err\n")


def test_output_that_is_not_text_is_no_error(bench: Bench) -> None:
    runner = bench.script(r"printf '\377\n'; exec sleep 1000")
    runner.start()
    until(lambda: runner.get_output()[0] == "\N{REPLACEMENT CHARACTER}\n")


def test_nothing_is_left_of_the_output_but_what_the_runner_holds(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    (bench.folder / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(bench.folder / "tmp"))
    runner = bench.script("echo out; exec sleep 1000")
    runner.start()
    until(lambda: runner.get_output()[0] == "out\n")

    assert list((bench.folder / "tmp").iterdir()) == []


def test_its_environment_is_ours_and_what_the_config_adds(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "1")
    monkeypatch.setenv("BOTH", "ours")
    runner = bench.script('echo "$OURS $BOTH $ITS"; exec sleep 1000', env={"BOTH": "its", "ITS": "2"})
    runner.start()

    until(lambda: runner.get_output()[0] == "1 its 2\n")


def test_its_working_directory_is_ours(bench: Bench) -> None:
    runner = bench.script("pwd -P; exec sleep 1000")
    runner.start()

    until(lambda: runner.get_output()[0] == f"{bench.folder.resolve()}\n")


def test_its_arguments_are_those_of_the_upstream_connector(bench: Bench) -> None:
    runner = bench.script('echo "$@"; exec sleep 1000')
    runner.start()

    until(lambda: runner.get_output()[0] == f"bf binancefutures {bench.folder}/bf.toml\n")


def test_a_second_start_while_it_runs_is_an_error_with_its_pid(bench: Bench) -> None:
    with bench.sim() as runner:
        assert runner.process is not None
        with pytest.raises(ConnectorRunnerError, match=f"runs already, as pid {runner.process.pid}"):
            runner.start()

        assert runner.is_running()


def test_a_with_on_one_that_runs_is_an_error_and_leaves_it_running(bench: Bench) -> None:
    with bench.sim() as runner:
        with pytest.raises(ConnectorRunnerError, match="runs already"), runner:
            pass

        assert runner.is_running()


def test_it_starts_again_after_a_stop_with_its_output_new(bench: Bench, paper_binaries: Path) -> None:
    runner = bench.paper(paper_binaries)
    with runner:
        first = runner.process
    with runner:
        assert runner.process is not first
        assert runner.wait_for_ready()

    assert _gone(runner)


def test_before_a_start_there_is_nothing_to_wait_for_stop_or_read(bench: Bench) -> None:
    runner = bench.sim()
    runner.stop()
    assert runner.process is None
    assert not runner.is_running()
    assert runner.get_output() == ("", "")
    with pytest.raises(ConnectorStartupError, match="not started"):
        runner.wait_for_ready()


def test_stop_is_done_once_and_asked_for_as_often_as_one_likes_from_any_thread(bench: Bench) -> None:
    runner = bench.sim()
    runner.start()
    assert runner.wait_for_ready()
    threads = [threading.Thread(target=runner.stop) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert _gone(runner)


def test_a_wait_ends_when_another_thread_stops_the_connector(bench: Bench) -> None:
    runner = bench.sim("slow_start = 60.0")
    runner.start()
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(runner.wait_for_ready(60)))
    waiting.start()
    until(lambda: "starting slowly" in runner.get_output()[0])
    runner.stop()
    waiting.join(30)

    assert answers == [False]


def test_a_connector_that_dies_later_does_not_run_and_is_told_on_the_next_wait(bench: Bench) -> None:
    with bench.sim() as runner:
        assert runner.process is not None
        os.kill(runner.process.pid, signal.SIGKILL)
        until(lambda: not runner.is_running())
        with pytest.raises(ConnectorStartupError, match="after its channel was open: ended by SIGKILL"):
            runner.wait_for_ready()
