"""The first stack file: from flags, from answers, never over what is there."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import pytest
import yaml

from orchestrator.stack import load
from tests.children import until
from tests.cli.terminal import Terminal
from tests.integration.harness import HFTSTACK

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.harness import Machine

_REAL = ("binancefutures", "binancespot", "bybit")


def _files(folder: Path) -> list[str]:
    """Return what a test's folder holds that the harness did not put there."""
    own = {"config", "out0", "err0", "out1", "err1", "out2", "err2", "h"}
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.relative_to(folder).parts[0] not in own
    )


@pytest.mark.parametrize("network", ["testnet", "demo", "mainnet"])
def test_a_stack_of_every_exchange_is_valid_at_once_and_again_with_keys(machine: Machine, network: str) -> None:
    connectors = [word for kind in _REAL for word in ("--connector", f"{kind}-1:{kind}")]
    done = machine.hftstack("init", "--name", "first", "--network", network, *connectors, "--bot", "mm:python3 bot.py")

    assert (done.code, done.out) == (0, f"wrote stacks/first.yaml: {network}, 3 connectors, 1 bot\n"), done.err
    assert _files(machine.folder) == ["stacks", "stacks/first.yaml"]
    assert machine.hftstack("validate").code == 0
    keyed = {f"{kind.upper()}_1_{key}": "k" for kind in ("binancefutures", "bybit") for key in ("API_KEY", "SECRET")}
    validated = machine.hftstack("validate", env=keyed)
    assert validated.code == 0, validated.said


def test_its_tables_hold_every_key_with_a_word_on_each_and_no_shared_prefix(machine: Machine) -> None:
    connectors = [word for kind in _REAL for word in ("--connector", f"{kind}:{kind}")]
    assert machine.hftstack("init", "s.yaml", *connectors).code == 0
    text = machine.file.read_text()
    tables = {name: unit["config"] for name, unit in yaml.safe_load(text)["connectors"].items()}

    assert tables["binancefutures"] == {
        "stream_url": "wss://fstream.binancefuture.com/ws",
        "api_url": "https://testnet.binancefuture.com",
        "order_prefix": "hs1-",
        "api_key": "${secret:binancefutures_api_key}",
        "secret": "${secret:binancefutures_secret}",
    }
    assert tables["binancespot"]["ws_api_url"] == "wss://ws-api.testnet.binance.vision/ws-api/v3"
    assert (tables["bybit"]["category"], tables["bybit"]["order_prefix"]) == ("linear", "hs3-")
    lines = text.splitlines()
    for table in tables.values():
        for key in table:
            place = next(number for number, line in enumerate(lines) if line.strip().startswith(f"{key}:"))
            assert lines[place - 1].strip().startswith("#")
    assert max(map(len, lines)) <= 120


def test_what_has_to_be_quoted_comes_through(machine: Machine) -> None:
    command = "mm:python3 -c 'print(\"${x} é\")' --yes on 0o17"
    done = machine.hftstack("init", "s.yaml", "--connector", "1:sim", "--bot", command)
    stack = load(machine.file, {})

    assert done.code == 0, done.err
    assert list(stack.connectors) == ["1"]
    assert stack.bots["mm"].command == ("python3", "-c", 'print("${x} é")', "--yes", "on", "0o17")


def test_a_bot_is_found_from_where_init_was_called(machine: Machine) -> None:
    (machine.folder / "plain.py").touch()
    bots = ["mm:python3 bots/mm.py", "plain:python3 plain.py", "python:python3 -m pack.mm", "own:/opt/bot --x"]
    words = [word for bot in bots for word in ("--bot", bot)]
    done = machine.hftstack("init", "stacks/s.yaml", "--connector", "a:sim", *words)
    stack = load(machine.folder / "stacks/s.yaml", {})

    assert done.code == 0, done.err
    assert {name: bot.cwd.resolve() for name, bot in stack.bots.items()} == {
        "mm": machine.folder,
        "plain": machine.folder,
        "python": machine.folder / "stacks",
        "own": machine.folder / "stacks",
    }


def test_the_source_is_found_from_the_file(machine: Machine) -> None:
    done = machine.hftstack("init", "deep/er/s.yaml", "--connector", "bf:binancefutures", "--source", "up/stream")

    assert done.code == 0
    stack = load(machine.folder / "deep/er/s.yaml", {})
    assert stack.source is not None
    assert stack.source.path == machine.folder / "up/stream"


def test_a_first_stack_of_simulators_runs(machine: Machine) -> None:
    assert machine.hftstack("init", "s.yaml", "--connector", "a:sim", "--bot", "w:sim").code == 0
    assert machine.hftstack("up", "s.yaml").code == 0
    assert set(machine.units()) == {"a", "w"}
    machine.down("--now")


@pytest.mark.parametrize("there", ["file", "folder", "link to nothing"])
def test_what_is_there_is_never_touched(machine: Machine, there: str) -> None:
    if there == "file":
        machine.file.write_text("mine\n")
    elif there == "folder":
        machine.file.mkdir()
    else:
        machine.file.symlink_to("nowhere")
    before = os.lstat(machine.file)
    done = machine.hftstack("init", "s.yaml", "--connector", "a:sim")

    assert (done.code, done.out) == (7, "")
    assert done.err.startswith("s.yaml: this file is there already, and is not touched\n")
    after = os.lstat(machine.file)
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert _files(machine.folder) == ["s.yaml"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "which connectors?"),
        (("--connector", "a"), "--connector a: not NAME:TYPE"),
        (("--connector", "a:binancefuture"), "there is no connector type binancefuture"),
        (("--connector", "a:binancefuture"), "did you mean binancefutures?"),
        (("--connector", "a:kraken"), "TYPE is one of binancefutures, binancespot, bybit, sim"),
        (("--connector", "../x:sim"), "'../x' is not a name"),
        (("--connector", "-f:sim"), "'-f' is not a name"),
        (("--connector", "a:sim", "--connector", "a:sim"), "two units are named a"),
        (("--connector", "a:sim", "--bot", "a:x"), "two units are named a"),
        (("--connector", "a:sim", "--bot", "mm"), "--bot mm: not NAME:COMMAND"),
        (("--connector", "a:sim", "--bot", "mm:'"), "not NAME:COMMAND"),
        (("--connector", "a:bybit", "--network", "local"), "bybit has no exchange on network local"),
        (("--connector", "a:sim", "--network", "moon"), "'moon' is not one of"),
        (("--connector", "a:sim", "--name", "a b"), "'a b' is not a name"),
    ],
)
def test_what_makes_no_stack_is_named_and_nothing_is_written(
    machine: Machine, words: tuple[str, ...], said: str
) -> None:
    done = machine.hftstack("init", *words)

    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert "Traceback" not in done.err
    assert _files(machine.folder) == []


def test_a_place_that_cannot_be_written_is_named(machine: Machine) -> None:
    machine.file.write_text("")
    done = machine.hftstack("init", "s.yaml/first.yaml", "--connector", "a:sim")

    assert (done.code, done.out) == (7, "")
    assert done.err.startswith("s.yaml/first.yaml: cannot write it: ")


def test_at_a_terminal_what_is_missing_is_asked_for(machine: Machine) -> None:
    terminal = Terminal([*HFTSTACK, "init"], cwd=machine.folder, env=machine.environ(), columns=40)
    answers = (
        ("Network", "local"),
        ("Connector type", "sim"),
        ("Its name [sim]", "a"),
        ("Another connector?", "n"),
        ("A bot on them?", "y"),
        ("Its name [mm]", ""),
        ("Its command", "sim"),
    )
    for question, answer in answers:
        until(partial(terminal.shows, question))
        terminal.write(answer)

    assert terminal.end() == 0, terminal.text
    assert "wrote stacks/local.yaml: local, 1 connector, 1 bot" in terminal.text
    assert machine.hftstack("validate").out == "stacks/local.yaml: local is valid: local, 1 connector, 1 bot\n"


def test_ctrl_c_at_a_question_writes_nothing(machine: Machine) -> None:
    terminal = Terminal([*HFTSTACK, "init"], cwd=machine.folder, env=machine.environ())
    until(lambda: terminal.shows("Network"))

    def leaves() -> bool:
        terminal.interrupt()
        return terminal.shows("interrupted")

    until(leaves)
    assert terminal.end() == 130
    assert _files(machine.folder) == []
