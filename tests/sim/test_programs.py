from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.channel import locate
from tests.children import until

if TYPE_CHECKING:
    from tests.children import Child, Children

_REPOSITORY = Path(__file__).parent.parent.parent


def _live(child: Child) -> bool:
    return "sim: live" in child.output()


def _count(bot: Child) -> int:
    lines = bot.lines("tick ")
    return int(lines[-1].rpartition("=")[2]) if lines else 0


def _pair(children: Children, connector: str | None = None, bot: str | None = None) -> tuple[Child, Child]:
    first = children.sim("connector", "bf", connector)
    until(lambda: _live(first))
    second = children.sim("bot", "bf", bot)
    until(lambda: second.lines("first tick bf at="))
    return first, second


def test_a_bot_gets_ticks_and_says_when_the_first_came(children: Children) -> None:
    _, bot = _pair(children)
    assert re.fullmatch(r"first tick bf at=\d{19}", bot.lines("first tick")[0])
    until(lambda: _count(bot) > 0)


def test_both_end_on_the_first_sigterm_and_leave_nothing(children: Children, home: Path) -> None:
    connector, bot = _pair(children)
    for child in (bot, connector):
        child.signal(signal.SIGTERM)
        assert child.wait() == 0
    assert [path for path in (home / "iox").rglob("*") if path.is_file()] == []
    prefix = locate(home, None).prefix
    # the wheel itself keeps this one for the next process
    assert [path.name for path in Path("/dev/shm").glob(f"{prefix}*") if path.suffix != ".global_mgmt"] == []


def test_a_bot_on_two_connectors_gets_ticks_from_both(children: Children) -> None:
    for name in ("bf", "by"):
        connector = children.sim("connector", name)
        until(lambda connector=connector: _live(connector))  # type: ignore[misc]
    bot = children.sim("bot", "bf,by")
    until(lambda: bot.lines("first tick bf") and bot.lines("first tick by"))


def test_nothing_is_sent_before_a_bot_has_registered(children: Children) -> None:
    connector = children.sim("connector", "bf", 'symbols = ["ethusdt"]')
    until(lambda: _live(connector))
    bot = children.sim("bot", "bf")
    until(lambda: "no such symbol: btcusdt" in connector.output())
    bot.signal(signal.SIGTERM)
    assert bot.wait() == 0
    assert bot.lines("first tick") == []


def test_a_bot_stays_blind_when_its_connector_is_restarted(children: Children) -> None:
    connector, bot = _pair(children)
    connector.kill()
    second = children.sim("connector", "bf")
    until(lambda: _live(second))
    before = _count(bot)
    fresh = children.sim("bot", "bf", 'symbols = ["ethusdt"]')
    until(lambda: _count(fresh) > 100)
    bot.signal(signal.SIGTERM)
    assert bot.wait() == 0
    # what was in its buffer when the connector died may still be counted
    assert _count(bot) - before < 50


def test_a_new_bot_with_the_same_symbol_wakes_the_old_one(children: Children) -> None:
    connector, bot = _pair(children)
    connector.kill()
    second = children.sim("connector", "bf")
    until(lambda: _live(second))
    children.sim("bot", "bf")
    before = _count(bot)
    until(lambda: _count(bot) > before + 100)


def test_a_second_connector_of_the_name_ends_with_one_line(children: Children) -> None:
    connector, bot = _pair(children)
    second = children.sim("connector", "bf")
    assert second.wait() == 1
    assert second.output().count("\n") == 1
    assert "ExceedsMaxSupported" in second.output()
    before = _count(bot)
    until(lambda: _count(bot) > before)
    assert connector.process.poll() is None


@pytest.mark.parametrize("program", ["connector", "bot"])
def test_it_dies_when_told_with_the_code_it_was_told(children: Children, program: str) -> None:
    child = children.sim(program, "bf", "[faults]\ndie_after = 0.05\nexit_code = 7\n")
    assert child.wait() == 7


def test_signals_are_ignored_as_often_as_told(children: Children) -> None:
    child = children.sim("connector", "bf", "[faults]\nignore_sigterm = 2\n")
    until(lambda: _live(child))
    for ignored in (1, 2):
        child.signal(signal.SIGTERM)
        until(lambda ignored=ignored: child.output().count("ignoring a signal") == ignored)  # type: ignore[misc]
    child.signal(signal.SIGTERM)
    assert child.wait() == 0


def test_a_bot_goes_on_after_it_was_stopped_and_continued(children: Children) -> None:
    _, bot = _pair(children)
    bot.signal(signal.SIGSTOP)
    before = _count(bot)
    bot.signal(signal.SIGCONT)
    until(lambda: _count(bot) > before + 100)


def test_a_silent_connector_stays_alive_and_sends_nothing(children: Children, home: Path) -> None:
    connector, bot = _pair(children, f'[faults]\nsilent_after = 0\narm_file = "{home}/armed"\n')
    until(lambda: _count(bot))
    (home / "armed").touch()
    until(lambda: "silent from now on" in connector.output())
    connector.signal(signal.SIGTERM)
    assert connector.wait() == 0
    silent = next(line for line in connector.lines("") if "silent from now on" in line)
    bot.signal(signal.SIGTERM)
    assert bot.wait() == 0
    assert silent.endswith(f"after {_count(bot)} messages, as told")


def test_it_dies_in_its_first_starts_and_then_works(children: Children, home: Path) -> None:
    settings = f'[faults]\ndie_before_live = 2\nstate = "{home}/starts"\n'
    for _ in range(2):
        child = children.sim("connector", "bf", settings)
        assert child.wait() == 1
        assert not _live(child)
    third = children.sim("connector", "bf", settings)
    until(lambda: _live(third))


def test_a_slow_start_can_be_stopped(children: Children) -> None:
    child = children.sim("connector", "bf", "[faults]\nslow_start = 60\n")
    until(lambda: "starting slowly" in child.output())
    child.signal(signal.SIGTERM)
    assert child.wait() == 0
    assert not _live(child)


def test_a_flood_of_lines_does_not_stop_the_feed(children: Children) -> None:
    connector, bot = _pair(children, "[faults]\nflood_log = 1000\n")
    until(lambda: connector.output().count("x" * 99) > 500)
    before = _count(bot)
    until(lambda: _count(bot) > before)


def test_a_connector_without_stdout_goes_on(children: Children) -> None:
    connector = children.sim("connector", "bf", "[faults]\nclose_stdout = true\n")
    until(lambda: _live(connector))
    bot = children.sim("bot", "bf")
    until(lambda: bot.lines("first tick"))
    connector.signal(signal.SIGTERM)
    assert connector.wait() == 0


def test_a_bot_that_lingers_reads_on_after_sigterm(children: Children) -> None:
    _, bot = _pair(children, None, "[faults]\nlinger = 3\n")
    bot.signal(signal.SIGTERM)
    before = _count(bot)
    until(lambda: _count(bot) > before)
    assert bot.process.poll() is None
    assert bot.wait() == 0


def test_a_mistake_in_the_settings_is_one_line_and_exit_2(children: Children) -> None:
    child = children.sim("bot", "bf", "[faults]\nsilent_after = 1\n")
    assert child.wait() == 2
    assert child.output().count("\n") == 1
    assert "faults.silent_after: unknown key" in child.output()


@pytest.mark.parametrize("argv", [[], ["exchange", "bf"], ["connector"], ["connector", ""], ["bot", "a", "b", "c"]])
def test_wrong_arguments_show_the_usage(children: Children, argv: list[str]) -> None:
    child = children.start(sys.executable, "-m", "orchestrator.sim", *argv, env={"PYTHONPATH": str(_REPOSITORY)})
    assert child.wait() == 2
    assert child.output().startswith("usage: ")


def test_without_the_wheel_it_says_what_to_install(children: Children) -> None:
    # -S leaves site-packages out, and with it the wheel
    child = children.start(
        sys.executable, "-S", "-m", "orchestrator.sim", "bot", "bf", env={"PYTHONPATH": str(_REPOSITORY)}
    )
    assert child.wait() == 3
    assert child.output() == "the simulator needs the wheel iceoryx2: pip install 'hftstack[sim]'\n"


def test_it_loads_nothing_but_the_standard_library_and_the_wheel() -> None:
    code = (
        "import sys, orchestrator.sim.bot, orchestrator.sim.connector, orchestrator.sim.settings\n"
        "print({name.partition('.')[0] for name, module in sys.modules.items()"
        " if 'site-packages' in (getattr(module, '__file__', None) or '')})\n"
        "print([name for name in sys.modules if name.startswith('orchestrator') and '.sim' not in name])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(_REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
    )
    packages, ours = done.stdout.splitlines()
    # a leading underscore: what an environment's .pth files load into every Python
    assert {name for name in re.findall(r"\w+", packages) if not name.startswith("_")} <= {"iceoryx2", "flatbuffers"}
    assert ours == "['orchestrator']"
