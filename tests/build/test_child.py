from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.build import child
from orchestrator.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.build.conftest import Workspace

DEADLINE = 60.0


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "the condition did not come true"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def written(file: Path) -> bool:
    return file.exists() and file.read_text().endswith("\n")


def shell(script: str, cwd: Path) -> tuple[int, list[str], list[str]]:
    out: list[str] = []
    err: list[str] = []
    code = child.run(["/bin/sh", "-c", script], cwd=cwd, env=os.environ, stdout=out.append, stderr=err.append)
    return code, out, err


def test_both_outputs_arrive_by_line_and_the_exit_code_is_returned(tmp_path: Path) -> None:
    code, out, err = shell(r"printf 'one\ntwo'; printf 'a\rb\n' >&2; exit 3", tmp_path)
    assert (code, out, err) == (3, ["one", "two"], ["a", "b"])


def test_a_flood_on_both_outputs_does_not_block_the_child(tmp_path: Path) -> None:
    code, out, err = shell("i=0; while [ $i -lt 20000 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done", tmp_path)
    assert code == 0
    assert len(out) == len(err) == 20000
    assert out[-1] == "out 19999"


def test_the_exit_is_seen_although_a_grandchild_keeps_the_output_open(tmp_path: Path) -> None:
    try:
        code, out, _ = shell("setsid sleep 600 & echo $! > pid; echo done", tmp_path)
        assert (code, out) == (0, ["done"])
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_the_child_reads_nothing_from_our_standard_input(tmp_path: Path) -> None:
    assert shell("cat; echo end", tmp_path)[1] == ["end"]


def test_a_child_that_cannot_be_started_is_a_build_error(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="cannot run"):
        child.run([tmp_path / "absent"], cwd=tmp_path, env={}, stdout=print, stderr=print)


def test_an_error_in_the_reader_ends_the_child(tmp_path: Path) -> None:
    pid: list[int] = []

    def stop(line: str) -> None:
        pid.append(int(line))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        child.run(["/bin/sh", "-c", "echo $$; exec sleep 600"], cwd=tmp_path, env=os.environ, stdout=stop, stderr=print)
    assert not alive(pid[0])


WAITING = """
import os, sys
from pathlib import Path
from orchestrator.build import child
child.run(["sh", "-c", "echo $$ > pid; exec sleep 600"], cwd=Path.cwd(), env=os.environ, stdout=print, stderr=print)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_the_caller_ends_the_child_first(tmp_path: Path, number: signal.Signals) -> None:
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, "-c", WAITING], env=environ, cwd=tmp_path) as caller:
        until(lambda: written(tmp_path / "pid"))
        caller.send_signal(number)
        assert caller.wait(DEADLINE) == -number
    assert not alive(int((tmp_path / "pid").read_text()))


CTRL_C = """
import os, sys
from pathlib import Path
from orchestrator import build
try:
    build.ensure(build.BuildRequest(start=Path(sys.argv[1]), store=Path(sys.argv[2])), environ=os.environ)
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_ctrl_c_ends_cargo_and_what_it_started_even_a_child_that_ignores_it(
    workspace: Workspace, tmp_path: Path
) -> None:
    workspace.write(
        "connector/build.rs",
        f"""
        fn main() {{
            let script = "trap '' INT; echo $$ > {tmp_path}/inner; while :; do sleep 600 & wait; done";
            let mut inner = std::process::Command::new("sh").arg("-c").arg(script).spawn().unwrap();
            while !std::path::Path::new("{tmp_path}/inner").exists() {{}}
            std::fs::write("{tmp_path}/script", format!("{{}}\\n", std::process::id())).unwrap();
            inner.wait().unwrap();
        }}
        """,
    )
    arguments = [sys.executable, "-c", CTRL_C, str(workspace.root / "stacks"), str(workspace.store)]
    with subprocess.Popen(arguments, env=workspace.environ, cwd=Path(__file__).parents[2]) as caller:
        until(lambda: written(tmp_path / "script") and written(tmp_path / "inner"))
        script, inner = (int((tmp_path / name).read_text()) for name in ("script", "inner"))
        assert alive(script)
        assert alive(inner)
        session = os.getsid(script)
        caller.send_signal(signal.SIGINT)
        assert caller.wait(DEADLINE) == 130
    until(lambda: not alive(script) and not alive(inner) and not alive(session))
