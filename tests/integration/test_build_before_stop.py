"""What cannot be brought in is found before anything is touched for it, with a real cargo and a real channel."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.cargo import environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.harness import Done, Machine

_MAIN = """\
use std::os::unix::process::CommandExt;
fn main() {
    // VERSION
    let error = std::process::Command::new("CONNECTOR").args(std::env::args_os().skip(1)).exec();
    panic!("{error}");
}
"""
"""A connector that is the paper one, and compiles in a second."""


class Running:
    """A stack that runs: the paper exchange, a connector that cargo builds, and a LiveBot on it."""

    def __init__(self, machine: Machine, binaries: Path, port: int) -> None:
        self.machine = machine
        self.binaries = binaries
        self.port = port
        self.source = machine.folder / "ws" / "connector" / "src" / "main.rs"
        self.source.parent.mkdir(parents=True)
        (machine.folder / "ws" / "Cargo.toml").write_text('[workspace]\nresolver = "2"\nmembers = ["connector"]\n')
        (self.source.parent.parent / "Cargo.toml").write_text(
            '[package]\nname = "connector"\nversion = "0.1.0"\nedition = "2021"\n\n[features]\nbinancefutures = []\n'
        )
        self.program(_MAIN)
        self.config()
        self.write()
        done = self.up()
        assert done.code == 0, done.said
        machine.until_units(lambda units: units["bf"]["level"] == "fresh")
        self._before = self._seen()

    def program(self, main: str) -> None:
        self.source.write_text(main.replace("CONNECTOR", str(self.binaries / "connector")))

    def config(self, more: str = "", **urls: str) -> None:
        address = f"127.0.0.1:{self.port}"
        keys = {"stream_url": f"ws://{address}/ws", "api_url": f"http://{address}", **urls}
        text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
        (self.machine.folder / "bf.toml").write_text(text + more)

    def write(self, **more: Any) -> None:  # noqa: ANN401 - YAML
        exchange = [str(self.binaries / "exchange"), "--port", str(self.port)]
        bot = {"command": [str(self.binaries / "bot"), "bf", "btcusdt"], "depends_on": ["bf"], "stop": {"grace": "2s"}}
        self.machine.write(
            source={"path": "ws"},
            services={"exchange": {"command": exchange, "ready": {"tcp": f"127.0.0.1:{self.port}"}}},
            connectors={"bf": {"type": "binancefutures", "config": "bf.toml", "depends_on": ["exchange"], **more}},
            bots={"mm": bot},
        )

    def up(self, *words: str) -> Done:
        env = {**environment(), **self.machine.environ(), "CARGO_NET_OFFLINE": "true"}
        return self.machine.hftstack("up", self.machine.file, *words, env=env)

    def _seen(self) -> tuple[object, ...]:
        """Return the processes, the channel's files, the bots on it, and all that was ever journaled."""
        machine = self.machine
        bots = [bot["pid"] for bot in machine.units()["bf"]["channel"]["bots"]]
        return machine.pids(), machine.shared_memory(), bots, machine.journal()

    def is_untouched(self) -> bool:
        return self._seen() == self._before


@pytest.fixture
def running(machine: Machine, paper_binaries: Path, free_port: int) -> Running:
    if shutil.which("cargo") is None:
        pytest.skip("cargo is not installed")
    return Running(machine, paper_binaries, free_port)


def _not_compiling(running: Running) -> None:
    running.program("fn main() { let x: u8 = nonsense; }")


def _mute(running: Running) -> None:
    running.program('fn main() { eprintln!("no --help here"); std::process::exit(2); }')


def _crashing(running: Running) -> None:
    running.program("fn main() { std::process::abort() }")


def _no_yaml(running: Running) -> None:
    running.machine.file.write_text("version: 1\nconnectors: {bf: {type: binancefutures")


def _no_toml(running: Running) -> None:
    running.config("order_prefix = 'mm\n")


def _other_network(running: Running) -> None:
    running.config(api_url="https://fapi.binance.com")


def _no_feature(running: Running) -> None:
    running.write(features=["binancefutures", "bybit"])


def _no_program(running: Running) -> None:
    running.write(hooks={"on_failed": ["no-such-program"]})


@pytest.mark.parametrize(
    ("breaks", "code", "said"),
    [
        (_not_compiling, 4, "cannot find value `nonsense`"),
        (_no_feature, 4, "bybit"),
        (_mute, 4, "the connector does not answer --help: exit code 2, not 0"),
        (_crashing, 4, "the connector does not answer --help: ended by SIGABRT"),
        (_no_yaml, 3, "s.yaml:2:"),
        (_no_toml, 3, "bf.toml:4:1: not valid TOML"),
        (_other_network, 3, "bf.toml:2:"),
        (_no_program, 3, "no-such-program"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_what_cannot_be_brought_in_leaves_what_runs_untouched(
    running: Running, breaks: Callable[[Running], None], code: int, said: str
) -> None:
    breaks(running)
    done = running.up()

    assert done.code == code, done.said
    assert said in done.err
    assert "Traceback" not in done.err
    assert running.is_untouched()


def test_what_answers_is_brought_in(running: Running) -> None:
    running.program(_MAIN.replace("VERSION", 'eprintln!("another one");'))
    assert running.up().code == 0
    assert not running.is_untouched()
