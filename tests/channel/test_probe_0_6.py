"""The probe against the paper workspace's connector and bot: iceoryx2 0.6.1, which real connectors use."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.channel import Verdict
from tests.children import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.channel.look import Look
    from tests.children import Child, Children

_SHARED_MEMORY = Path("/dev/shm")
_VERSION = (0, 6, 1)

pytestmark = pytest.mark.timeout(600)  # the first one may have to wait for cargo


@pytest.fixture
def start(children: Children, home: Path, paper_binaries: Path) -> Callable[[], Child]:
    """Starts a connector `bf` on a paper exchange."""
    exchange = children.start(paper_binaries / "exchange")
    address = until(lambda: exchange.lines("listening on "))[0].removeprefix("listening on ")
    config = home / "bf.toml"
    config.write_text(f'stream_url = "ws://{address}/ws"\napi_url = "http://{address}"\n')
    return lambda: children.start(paper_binaries / "connector", "bf", "binancefutures", config)


@pytest.fixture
def connector(start: Callable[[], Child], look: Look) -> Child:
    """A connector whose channel is live."""
    return _start_live(start, look)


def _start_live(start: Callable[[], Child], look: Look) -> Child:
    """Start connectors until one is live.

    0.6.1 fails in some starts: its two threads create their nodes at once, on a root that has no directories yet, or
    while a dead one's remains are cleaned up. The next try succeeds.
    """

    def live() -> Child | None:
        child = start()
        until(lambda: child.process.poll() is not None or look(child.pid).verdict is Verdict.LIVE)
        return child if child.process.poll() is None else None

    child = until(live)
    assert child is not None
    return child


def _attach(children: Children, look: Look, connector: Child, binaries: Path) -> Child:
    bot = children.start(binaries / "bot", "bf", "btcusdt")
    until(lambda: bot.pid in [link.pid for link in look(connector.pid).bots])
    return bot


def test_a_connector_is_live(connector: Child, look: Look) -> None:
    reading = look(connector.pid)
    assert (reading.verdict, reading.owner, reading.version) == (Verdict.LIVE, connector.pid, _VERSION)
    assert (look.probe.fast(), look.probe.bots()) == (False, ())


def test_it_is_foreign_to_everybody_else(connector: Child, look: Look) -> None:
    for pid in (None, os.getpid()):
        reading = look(pid)
        assert (reading.verdict, reading.owner) == (Verdict.FOREIGN, connector.pid)


def test_counters_move_while_bots_get_data(
    children: Children, connector: Child, look: Look, paper_binaries: Path
) -> None:
    bots = [_attach(children, look, connector, paper_binaries) for _ in range(3)]
    for bot in bots:
        until(lambda bot=bot: bot.lines("first tick bf"))  # type: ignore[misc]
    before = {link.pid: link.written for link in look.fast(connector.pid)}
    assert sorted(before) == sorted(bot.pid for bot in bots)
    until(lambda: all(link.written > before[link.pid] + 20 for link in look.fast(connector.pid)))
    bots[0].signal(signal.SIGSTOP)
    until(lambda: {link.pid: link.lag for link in look.fast(connector.pid)}[bots[0].pid] > 50)
    assert all(link.lag < 50 for link in look.fast(connector.pid) if link.pid != bots[0].pid)


def test_a_killed_connector_leaves_a_stale_channel_that_its_successor_takes(
    start: Callable[[], Child], connector: Child, look: Look
) -> None:
    connector.kill()
    reading = look(connector.pid)
    assert (reading.verdict, reading.owner, reading.version) == (Verdict.STALE, None, _VERSION)
    look.probe.forget(connector.pid)
    assert look(None).verdict is Verdict.STALE
    successor = _start_live(start, look)
    assert look(successor.pid).owner == successor.pid


def _stays_released(connector: Child, look: Look) -> bool:
    """Send one SIGTERM; tell whether the process lives on with its channel half closed, for 50 looks."""
    looks: list[Verdict] = []

    def decided() -> bool:
        looks.append(look(connector.pid).verdict)
        return connector.process.poll() is not None or looks[-50:] == [Verdict.RELEASED] * 50

    connector.signal(signal.SIGTERM)
    until(decided)
    return connector.process.poll() is None


def test_a_connector_that_missed_its_signal_is_released(
    start: Callable[[], Child], connector: Child, look: Look
) -> None:
    # one signal in ten ends it, and then there is nothing to see
    while not _stays_released(connector, look):
        connector = _start_live(start, look)
    reading = look(connector.pid)
    assert reading.verdict is Verdict.RELEASED
    assert reading.owner == connector.pid
    assert reading.detail == f"process {connector.pid} has no port on bf/ToBot any more"


def test_removed_files_split_the_process_from_its_channel(connector: Child, look: Look, home: Path) -> None:
    for file in (home / "iox/services").iterdir():
        file.unlink()
    assert look(connector.pid).verdict is Verdict.SPLIT


def test_a_dynamic_segment_without_static_config_is_corrupt(connector: Child, look: Look, home: Path) -> None:
    connector.kill()
    for file in (home / "iox/services").iterdir():
        file.unlink()
    reading = look(None)
    assert reading.verdict is Verdict.CORRUPT
    assert reading.detail == "dynamic segment of bf/ToBot without static config"


def test_a_static_config_without_dynamic_segment_is_corrupt(connector: Child, look: Look) -> None:
    connector.kill()
    for file in _SHARED_MEMORY.glob(f"{look.location.prefix}*.dynamic"):
        file.unlink()
    reading = look(None)
    assert reading.verdict is Verdict.CORRUPT
    assert reading.detail == "static config of bf/ToBot without dynamic segment"
