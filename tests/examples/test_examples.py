"""Each example, run as its reader runs it: as a program, against the paper exchange and connector."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cargo import PAPER
from tests.children import Child, Children, until
from tests.integration.conftest import machine

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.harness import Machine

__all__ = ["machine"]

_EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
_NAMES = sorted(path.name for path in _EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("name", [name for name in _NAMES if "sys.argv" in (_EXAMPLES / name).read_text("utf-8")])
def test_an_example_without_its_argument_says_how_it_is_called(children: Children, name: str) -> None:
    example = children.start(sys.executable, _EXAMPLES / name, env={"PATH": os.environ["PATH"]})
    assert example.wait() == 1
    assert f"python examples/{name} " in example.output()
    assert "Traceback" not in example.output()


@pytest.fixture
def example(children: Children, paper_binaries: Path) -> Callable[..., Child]:
    """Starts an example in a folder with an iceoryx2 of its own; the checkout that it finds is paper/, built."""
    assert paper_binaries.is_dir()
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "CARGO_HOME", "RUSTUP_HOME") if key in os.environ}
    env = {**kept, "HFTBACKTEST_ROOT": str(PAPER), "CARGO_NET_OFFLINE": "true", "PYTHONUNBUFFERED": "1"}

    def start(name: str, *arguments: str | Path) -> Child:
        return children.start(sys.executable, _EXAMPLES / name, *arguments, env=env)

    return start


@pytest.fixture
def port(children: Children, paper_binaries: Path) -> int:
    """Where a paper exchange listens."""
    exchange = children.start(paper_binaries / "exchange", "--port", "0")
    found = until(lambda: re.search(r"127\.0\.0\.1:(\d+)", exchange.output()))
    assert found is not None
    return int(found[1])


@pytest.fixture
def futures(children: Children, port: int) -> Path:
    """A config of the paper exchange."""
    path = children.home / "bf.toml"
    path.write_text(f'stream_url = "ws://127.0.0.1:{port}/ws"\napi_url = "http://127.0.0.1:{port}"\n', encoding="utf-8")
    return path


def _connectors(folder: Path) -> list[str]:
    """Return the connectors that run with this folder as theirs, by their command lines."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            if (entry / "cwd").readlink() == folder:
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return [line for line in found if "connector " in line]


def test_the_list_of_examples_is_whole() -> None:
    listed = re.findall(
        r"^\| `python examples/(\S+\.py)", (_EXAMPLES / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )

    assert sorted(listed) == _NAMES


def test_minimal(example: Callable[..., Child], futures: Path) -> None:
    child = example("minimal.py", futures)
    assert child.wait() == 0, child.output()

    assert child.output() == "binancefutures is live: True\n"
    assert _connectors(futures.parent) == []


def test_custom_settings(example: Callable[..., Child], port: int, children: Children) -> None:
    url = f"ws://127.0.0.1:{port}"
    path = children.home / "bybit.toml"
    lines = [
        f'public_url = "{url}/v5/public/linear"',
        f'private_url = "{url}/v5/private"',
        f'trade_url = "{url}/v5/trade"',
        f'rest_url = "http://127.0.0.1:{port}"',
        'api_key = ""\nsecret = ""\ncategory = "linear"\norder_prefix = ""',
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    child = example("custom_settings.py", path)
    assert child.wait() == 0, child.output()

    assert "my_exchange is live, built with bybit" in child.output()
    assert re.search(r"it wrote [1-9]", child.output())


def test_a_mistake_in_the_config_is_a_message(example: Callable[..., Child], futures: Path) -> None:
    child = example("custom_settings.py", futures)
    assert child.wait() == 1

    assert "bf.toml:2:1: /api_url: a bybit connector ignores the key" in child.output()
    assert "Traceback" not in child.output()


def test_manual_control(example: Callable[..., Child], futures: Path) -> None:
    child = example("manual_control.py", futures)
    assert child.wait() == 0, child.output()

    said = child.output()
    assert said.startswith("live\nLogs:\n")
    assert len(said.splitlines()) > 2
    assert _connectors(futures.parent) == []


def test_bot_beside_runner(example: Callable[..., Child], futures: Path, paper_binaries: Path) -> None:
    child = example("bot_beside_runner.py", futures, paper_binaries / "bot", "bf", "btcusdt")
    until(lambda: child.lines("tick"))
    assert len(_connectors(futures.parent)) == 1
    child.signal(signal.SIGINT)
    assert child.wait() == 0, child.output()

    assert "the bot ended with 0" in child.output()
    assert _connectors(futures.parent) == []


def test_simulator(example: Callable[..., Child], children: Children) -> None:
    child = example("simulator.py")
    assert child.wait() == 0, child.output()

    assert child.lines("tick simulated")
    assert _connectors(children.home) == []


def test_stack_api(machine: Machine) -> None:
    demo = (_EXAMPLES.parent / "stacks/demo.yaml").read_text(encoding="utf-8")
    machine.file.write_text(demo, encoding="utf-8")
    done = machine._run([sys.executable, str(_EXAMPLES / "stack_api.py"), str(machine.file)]).done()
    assert done.code == 0, done.said

    assert "alpha: up, fresh, pid" in done.out
    assert "watcher up" in done.out
    assert "stopped alpha, beta, watcher" in done.out
    assert machine.left() == {}
