"""The probe against simulated connectors and bots, on each wheel of iceoryx2 from 0.7 to 0.10."""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.channel import Verdict, scan_nodes
from orchestrator.channel.service import service_hash
from tests.channel.look import Look
from tests.children import until
from tests.wheels import CURRENT, EARLIER, LATEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.children import Child, Children

_SHARED_MEMORY = Path("/dev/shm")
_TO_BOT = service_hash("bf/ToBot")


@pytest.fixture(params=LATEST)
def version(request: pytest.FixtureRequest) -> str:
    """The version that the simulated processes speak."""
    asked: str = request.param
    return asked


@pytest.fixture
def stranger() -> Iterator[int]:
    """The pid of a process that has nothing to do with iceoryx2."""
    with subprocess.Popen(["/bin/sleep", "600"]) as process:
        yield process.pid
        process.kill()


def _connector(children: Children, look: Look, config: str | None = None) -> Child:
    child = children.sim("connector", "bf", config)
    look.until(Verdict.LIVE, child.pid)
    return child


def _bot(children: Children, look: Look, connector: Child, config: str | None = None) -> Child:
    child = children.sim("bot", "bf", config)
    until(lambda: child.pid in [bot.pid for bot in look(connector.pid).bots])
    return child


def _static(home: Path, name: str = "bf/ToBot") -> Path:
    return next((home / "iox/services").glob(f"*{service_hash(name)}.service"))


def _dynamics(look: Look) -> list[Path]:
    return sorted(_SHARED_MEMORY.glob(f"{look.location.prefix}*.dynamic"))


def test_a_channel_that_nobody_opened_is_missing(look: Look) -> None:
    reading = look(None)
    assert reading.verdict is Verdict.MISSING
    assert (reading.owner, reading.version, reading.bots) == (None, None, ())


def test_a_channel_goes_from_starting_to_live_and_back_to_missing(children: Children, look: Look, version: str) -> None:
    connector = children.sim("connector", "bf")
    seen = []

    def live() -> bool:
        seen.append(look(connector.pid))
        return seen[-1].verdict is Verdict.LIVE

    until(live)
    assert seen[0].verdict is Verdict.STARTING
    last = seen[-1]
    assert (last.owner, last.version, last.detail) == (connector.pid, tuple(map(int, version.split("."))), None)
    connector.signal(signal.SIGTERM)
    assert connector.wait() == 0
    assert look(None).verdict is Verdict.MISSING


def test_a_process_without_ports_is_starting(children: Children, look: Look) -> None:
    connector = children.sim("connector", "bf", "[faults]\nslow_start = 60\n")
    until(lambda: "starting slowly" in connector.output())
    reading = look(connector.pid)
    assert reading.verdict is Verdict.STARTING
    assert reading.detail == f"process {connector.pid} has no port on bf/ToBot and bf/FromBot yet"


def test_the_owner_is_foreign_to_everybody_else(children: Children, look: Look) -> None:
    connector = _connector(children, look)
    for pid in (None, os.getpid()):
        reading = look(pid)
        assert reading.verdict is Verdict.FOREIGN
        assert reading.owner == connector.pid
        assert str(connector.pid) in (reading.detail or "")


def test_a_killed_connector_leaves_a_stale_channel(children: Children, look: Look) -> None:
    connector = _connector(children, look)
    connector.kill()
    assert look(connector.pid).verdict is Verdict.STALE
    look.probe.forget(connector.pid)
    assert look(None).verdict is Verdict.STALE
    assert look(None).owner is None


def test_a_stale_channel_becomes_live_again(children: Children, look: Look) -> None:
    connector = _connector(children, look)
    bot = _bot(children, look, connector)
    connector.kill()
    look.probe.forget(connector.pid)
    successor = children.sim("connector", "bf")
    reading = look.until(Verdict.LIVE, successor.pid)
    assert [link.pid for link in reading.bots] == [bot.pid]
    assert reading.owner == successor.pid


def _drops_publisher(home: Path) -> str:
    return f'[faults]\ndrop_publisher_after = 0\narm_file = "{home}/armed"\n'


@pytest.mark.parametrize("attached", [True, False])
def test_a_dropped_publisher_releases_the_channel(
    children: Children, look: Look, home: Path, *, attached: bool
) -> None:
    connector = _connector(children, look, _drops_publisher(home))
    if attached:
        _bot(children, look, connector)
    (home / "armed").touch()
    reading = look.until(Verdict.RELEASED, connector.pid)
    assert reading.detail == f"process {connector.pid} has no port on bf/ToBot any more"
    assert reading.owner == connector.pid
    assert look.probe.fast() is None


def test_a_dropped_publisher_is_no_life_to_a_probe_that_never_saw_any(
    children: Children, look: Look, home: Path
) -> None:
    connector = _connector(children, look, _drops_publisher(home))
    (home / "armed").touch()
    look.until(Verdict.RELEASED, connector.pid)
    late = Look(home)
    # its node goes a moment after its port
    late.until(Verdict.STARTING, connector.pid)
    assert late(None).verdict is Verdict.FOREIGN
    late.close()


def test_removed_files_split_the_process_from_its_channel(children: Children, look: Look, home: Path) -> None:
    connector = _connector(children, look)
    _static(home).unlink()
    reading = look(connector.pid)
    assert reading.verdict is Verdict.SPLIT
    assert f"{_TO_BOT}.service" in (reading.detail or "")


def test_a_wiped_root_splits_too_for_a_probe_that_comes_later(children: Children, look: Look, home: Path) -> None:
    connector = _connector(children, look)
    shutil.rmtree(home / "iox")
    assert look(connector.pid).verdict is Verdict.SPLIT
    late = Look(home)
    assert late(connector.pid).verdict is Verdict.SPLIT
    late.close()


def test_wiped_shared_memory_splits(children: Children, look: Look) -> None:
    connector = _connector(children, look)
    for file in _dynamics(look):
        file.unlink()
    assert look(connector.pid).verdict is Verdict.SPLIT


def test_an_exact_copy_in_the_place_of_a_file_splits(children: Children, look: Look, home: Path) -> None:
    connector = _connector(children, look)
    for file in _dynamics(look):
        copy = file.with_name(f"{file.name}.copy")
        shutil.copy(file, copy)
        copy.replace(file)
    assert look(connector.pid).verdict is Verdict.SPLIT
    late = Look(home)
    assert late(connector.pid).verdict is Verdict.SPLIT
    late.close()


def test_a_static_config_without_dynamic_segment_is_corrupt(children: Children, look: Look) -> None:
    connector = _connector(children, look)
    connector.kill()
    for file in _dynamics(look):
        file.unlink()
    for pid in (None, connector.pid):
        reading = look(pid)
        assert reading.verdict is Verdict.CORRUPT
        assert reading.detail == "static config of bf/ToBot without dynamic segment"


def test_a_publisher_without_its_data_segment_is_corrupt(children: Children, look: Look) -> None:
    connector = _connector(children, look)
    for file in _SHARED_MEMORY.glob(f"{look.location.prefix}*.data*"):
        file.unlink()
    reading = look(connector.pid)
    assert reading.verdict is Verdict.CORRUPT
    assert reading.detail == "publisher of bf/ToBot without data segment"


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"\xff not TOML", "is malformed"),
        (b'service_name = "by/ToBot"', "names 'by/ToBot'"),
    ],
)
def test_a_static_config_of_something_else_is_corrupt(
    children: Children, look: Look, home: Path, content: bytes, detail: str
) -> None:
    _connector(children, look).kill()
    file = _static(home)
    file.unlink()
    file.write_bytes(content)
    file.chmod(0o400)
    reading = look(None)
    assert reading.verdict is Verdict.CORRUPT
    assert detail in (reading.detail or "")


def _patch_version(look: Look) -> None:
    for file in _dynamics(look):
        with file.open("r+b") as segment:
            segment.write(struct.pack("<Q", 0xB0000))


def test_an_unknown_version_is_unverified_while_its_owner_lives_and_stale_after(
    children: Children, look: Look, home: Path
) -> None:
    connector = _connector(children, look)
    _patch_version(look)
    late = Look(home)
    reading = late(connector.pid)
    assert reading.verdict is Verdict.UNVERIFIED
    assert (reading.owner, reading.version, reading.bots, reading.users) == (connector.pid, (0, 11, 0), (), ())
    assert "0.11.0" in (reading.detail or "")
    assert late.probe.fast() is None
    stranger = late(None)
    assert stranger.verdict is Verdict.UNVERIFIED
    assert str(connector.pid) in (stranger.detail or "")
    connector.kill()
    assert late(None).verdict is Verdict.STALE
    late.close()


def test_an_unknown_versions_users_are_named_in_place_of_its_bots(children: Children, look: Look, home: Path) -> None:
    connector = _connector(children, look)
    bots = [_bot(children, look, connector) for _ in range(2)]
    _patch_version(look)
    late = Look(home)
    reading = late(connector.pid)
    assert reading.verdict is Verdict.UNVERIFIED
    assert reading.users == tuple(sorted(bot.pid for bot in bots))
    bots[0].kill()
    assert late(connector.pid).users == (bots[1].pid,)
    late.close()


def test_a_version_without_tags_is_unverified_while_its_owner_holds_the_segments(
    children: Children, look: Look, home: Path, stranger: int
) -> None:
    connector = _connector(children, look)
    _patch_version(look)
    for tag in (home / "iox/nodes").glob("*/*.service_tag"):
        tag.unlink()
    late = Look(home)
    reading = late(connector.pid)
    assert (reading.verdict, reading.owner, reading.users) == (Verdict.UNVERIFIED, connector.pid, None)
    assert late(stranger).verdict is Verdict.STARTING
    late.close()


@pytest.mark.parametrize("version", [CURRENT])
def test_a_version_that_only_the_static_config_tells_is_unverified(children: Children, look: Look, home: Path) -> None:
    connector = _connector(children, look)
    for service in ("bf/ToBot", "bf/FromBot"):
        file = _static(home, service)
        content = file.read_text()
        assert "minor = 10\n" in content
        file.chmod(0o600)
        file.write_text(content.replace("minor = 10\n", "minor = 11\n").replace("unique_value = ", "unique_value = 1"))
        file.chmod(0o400)
    late = Look(home)
    reading = late(connector.pid)
    assert (reading.verdict, reading.version) == (Verdict.UNVERIFIED, (0, 11, 0))
    late.close()


def test_a_segment_that_does_not_fit_its_version_is_unverified(children: Children, look: Look, home: Path) -> None:
    connector = _connector(children, look)
    for file in _dynamics(look):
        with file.open("r+b") as segment:
            segment.seek(16)
            segment.write(bytes(16))
    late = Look(home)
    reading = late(connector.pid)
    assert reading.verdict is Verdict.UNVERIFIED
    assert "unknown layout" in (reading.detail or "")
    late.close()


@contextmanager
def _as_somebody_else(home: Path) -> Iterator[None]:
    """Lose the right to read the root: root becomes nobody for a moment, others take the right from themselves."""
    if os.geteuid() == 0:
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)
    else:
        (home / "iox").chmod(0)
        try:
            yield
        finally:
            (home / "iox").chmod(0o700)


def test_files_of_another_user_are_unverified_and_named(children: Children, look: Look, home: Path) -> None:
    connector = _connector(children, look)
    (home / "iox").chmod(0o700)
    late = Look(home)
    with _as_somebody_else(home):
        reading = late(connector.pid)
    assert reading.verdict is Verdict.UNVERIFIED
    assert reading.users is None
    assert "Permission denied" in (reading.detail or "")
    assert str(home / "iox") in (reading.detail or "")
    late.close()


def test_counters_are_exact(children: Children, look: Look, home: Path) -> None:
    settings = f'rate = 1000\n[faults]\nsilent_after = 0\narm_file = "{home}/armed"\n'
    connector = _connector(children, look, settings)
    bot = _bot(children, look, connector)
    until(lambda: sum(link.written for link in look.fast(connector.pid)) > 500)
    (home / "armed").touch()
    until(lambda: "silent from now on" in connector.output())

    def settled() -> bool:
        (link,) = look.fast(connector.pid)
        return link.written == link.read > 0

    until(settled)
    (link,) = look.fast(connector.pid)
    assert (link.pid, link.lag) == (bot.pid, 0)
    bot.signal(signal.SIGTERM)
    assert bot.wait() == 0
    assert bot.lines("tick bf")[-1] == f"tick bf count={link.written}"


def test_what_moved_since_the_last_look_is_told_once_however_many_bots_there_are(
    children: Children, look: Look, home: Path
) -> None:
    settings = f'rate = 1000\n[faults]\nsilent_after = 0\narm_file = "{home}/armed"\n'
    connector = _connector(children, look, settings)
    for _ in range(3):
        _bot(children, look, connector)
    other = Look(home)
    other(connector.pid)
    assert not other.probe.moved
    until(other.probe.fast)
    until(lambda: other(connector.pid).bots and other.probe.moved)
    until(other.probe.fast)
    (home / "armed").touch()
    until(lambda: "silent from now on" in connector.output())
    other.probe.fast()
    assert [other.probe.fast() for _ in range(3)] == [False] * 3
    other(connector.pid)
    assert not other.probe.moved
    other.close()


@pytest.mark.parametrize("version", EARLIER)
def test_other_patches_are_read_as_the_last_one(children: Children, look: Look, version: str) -> None:
    connector = _connector(children, look)
    bot = _bot(children, look, connector)
    until(lambda: sum(link.read for link in look.fast(connector.pid)) > 100)
    reading = look(connector.pid)
    assert reading.version == tuple(map(int, version.split(".")))
    (link,) = reading.bots
    assert (link.pid, link.lag < 50) == (bot.pid, True)
    connector.kill()
    assert look(connector.pid).verdict is Verdict.STALE


def test_the_lag_of_a_stopped_bot_grows_and_is_made_up_for(children: Children, look: Look) -> None:
    connector = _connector(children, look)
    bot, other = _bot(children, look, connector), _bot(children, look, connector)
    until(lambda: all(link.written > 0 for link in look.fast(connector.pid)))
    bot.signal(signal.SIGSTOP)

    def lags() -> dict[int, int]:
        return {link.pid: link.lag for link in look.fast(connector.pid)}

    until(lambda: lags()[bot.pid] > 50)
    assert lags()[other.pid] < 50
    bot.signal(signal.SIGCONT)
    until(lambda: lags()[bot.pid] < 10)


def test_the_fast_path_asks_for_a_full_scan_when_a_bot_comes_or_goes(children: Children, look: Look) -> None:
    connector = _connector(children, look)
    assert look.fast(connector.pid) == ()
    bot = children.sim("bot", "bf")
    until(lambda: look.probe.fast() is None)
    until(lambda: [link.pid for link in look(connector.pid).bots] == [bot.pid])
    assert [link.pid for link in look.fast(connector.pid)] == [bot.pid]
    bot.signal(signal.SIGTERM)
    until(lambda: look.probe.fast() is None)
    assert bot.wait() == 0
    assert look(connector.pid).bots == ()


def test_a_killed_bot_is_not_attached_any_more(children: Children, look: Look) -> None:
    connector = _connector(children, look)
    bot, other = _bot(children, look, connector), _bot(children, look, connector)
    bot.kill()
    look.probe.forget(bot.pid)
    assert [link.pid for link in look(connector.pid).bots] == [other.pid]
    assert [link.pid for link in look.fast(connector.pid)] == [other.pid]


def test_bots_are_named_although_their_connector_is_gone(children: Children, look: Look) -> None:
    connector = _connector(children, look)
    bot = _bot(children, look, connector)
    connector.signal(signal.SIGTERM)
    assert connector.wait() == 0
    reading = look(None)
    assert reading.verdict is Verdict.STALE
    assert [link.pid for link in reading.bots] == [bot.pid]


def test_a_bot_alone_is_no_connector(children: Children, look: Look) -> None:
    bot = children.sim("bot", "bf")
    until(lambda: [link.pid for link in look(None).bots] == [bot.pid])
    assert look(None).verdict is Verdict.STALE
    assert look(os.getpid()).verdict is Verdict.STARTING


def test_channels_of_one_location_do_not_mix(children: Children, look: Look, home: Path) -> None:
    other = Look(home, "by")
    connector = _connector(children, look)
    assert other(None).verdict is Verdict.MISSING
    second = children.sim("connector", "by")
    assert other.until(Verdict.LIVE, second.pid).owner == second.pid
    assert look(connector.pid).owner == connector.pid
    other.close()


def test_descriptors_do_not_pile_up_over_restarts_of_a_bot(children: Children, look: Look) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = descriptors()
    connector = _connector(children, look)
    counts = []
    for _ in range(3):
        bot = _bot(children, look, connector)
        bot.kill()
        for holder in (look.probe, look.nodes):
            holder.forget(bot.pid)
        look(connector.pid)
        counts.append(descriptors())
    assert counts[0] == counts[1] == counts[2]
    look.close()
    assert descriptors() == before


def test_round_after_round_keeps_the_same_descriptors(children: Children, look: Look) -> None:
    connector = _connector(children, look)
    counts = set()
    for _ in range(5):
        assert look.probe.scan(scan_nodes(look.location), pid=connector.pid).verdict is Verdict.LIVE
        counts.add(len(list(Path("/proc/self/fd").iterdir())))
    scan_nodes(look.location).close()
    assert len(counts) == 1


def test_monitors_of_unknown_processes_are_closed_in_time(children: Children, look: Look) -> None:
    connector = _connector(children, look)
    bot = _bot(children, look, connector)
    monitors = len(look.nodes._monitors)
    bot.kill()
    for _ in range(64):
        look.nodes.refresh()
    assert len(look.nodes._monitors) == monitors - 1


_WORDS = st.sampled_from([struct.pack("<Q", word) for word in (0, 0x60001, 0x80001, 0x90003, 0xA0000, 0xB0000)])
_STATICS = st.one_of(st.binary(max_size=300), st.just(b'service_name = "bf/ToBot"\n'))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@given(static=_STATICS, segment=st.builds(bytes.__add__, _WORDS, st.binary(max_size=600)))
def test_no_garbage_in_the_files_raises_or_passes_for_life(
    look: Look, home: Path, stranger: int, static: bytes, segment: bytes
) -> None:
    services = home / "iox/services"
    services.mkdir(parents=True, exist_ok=True)
    file = services / f"{look.location.prefix}{_TO_BOT}.service"
    file.unlink(missing_ok=True)
    file.write_bytes(static)
    file.chmod(0o400)
    dynamic = _SHARED_MEMORY / f"{look.location.prefix}{'0' * 40}_{_TO_BOT}.dynamic"
    dynamic.unlink(missing_ok=True)
    dynamic.write_bytes(segment)
    for pid in (None, stranger):
        assert look(pid).verdict in (Verdict.CORRUPT, Verdict.STALE, Verdict.STARTING)
        assert look.probe.fast() is None
