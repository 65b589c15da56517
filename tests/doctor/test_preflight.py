from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator import files
from orchestrator.channel import locate
from orchestrator.deployment.homes import Home
from orchestrator.deployment.model import Channel, Deployment, File, Kind, Level, Resources, UnitSpec
from orchestrator.doctor.preflight import check
from orchestrator.errors import RefusedError
from orchestrator.resolve.configs import Configs
from orchestrator.supervise import lock, records
from tests.children import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.children import Children


def _connector(name: str, home: Path, **told: Any) -> UnitSpec:  # noqa: ANN401 - fields of a spec
    location = locate(home, None)
    fields: dict[str, Any] = {
        "kind": Kind.CONNECTOR,
        "type": "binancefutures",
        "argv": ("/bin/true", name),
        "executable": File("/bin/true", "0" * 64),
        "cwd": str(home),
        "env": (),
        "target": Level.LIVE,
        "channel": Channel(name, str(location.root), location.prefix),
        **told,
    }
    return UnitSpec(name=name, **fields)


def _check(*units: UnitSpec, base: Path, running: dict[str, int] | None = None) -> tuple[str, ...]:
    deployment = Deployment(stack="prod", file="/srv/prod.yaml", network="testnet", units=units)
    home = Home(base / "state", base / "run", os.geteuid())
    return check(deployment, home.stack("prod"), running or {}, environ={})


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder on a tmpfs."""
    folder = Path(tempfile.mkdtemp(prefix="hs", dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder)


def test_a_stack_that_fits_the_machine_passes_without_a_word(home: Path, memory: Path) -> None:
    unit = _connector("bf", home, files=(File("/x.toml", "0" * 64),))

    assert _check(unit, base=memory) == ()


def test_cores_that_the_machine_lacks_are_refused_with_those_it_has(home: Path, memory: Path) -> None:
    core = min(os.sched_getaffinity(0))
    assert _check(_connector("bf", home, resources=Resources(cpus=(core,))), base=memory) == ()

    with pytest.raises(RefusedError, match="bf: cpus 4094, 4095 are not available here") as caught:
        _check(_connector("bf", home, resources=Resources(cpus=(core, 4095, 4094))), base=memory)
    assert str(core) in (caught.value.hint or "")


def test_a_channel_of_somebody_else_is_refused_with_pid_and_command(
    home: Path, memory: Path, children: Children
) -> None:
    child = children.sim("connector", "bf")
    until(lambda: "live" in child.output())

    with pytest.raises(RefusedError) as caught:
        _check(_connector("bf", home), base=memory)
    assert caught.value.where == "bf"
    assert f"held by pid {child.pid} (" in caught.value.message
    assert "orchestrator.sim connector bf" in caught.value.message
    assert _check(_connector("other", home), base=memory) == ()


def test_a_channel_of_the_stacks_own_running_unit_is_no_reason_to_refuse(
    home: Path, memory: Path, children: Children
) -> None:
    child = children.sim("connector", "bf")
    until(lambda: "live" in child.output())

    assert _check(_connector("bf", home), base=memory, running={"bf": child.pid}) == ()


def test_a_connector_that_was_started_by_hand_holds_its_channel_as_it_should(
    home: Path, memory: Path, children: Children
) -> None:
    child = children.sim("connector", "bf")
    until(lambda: "live" in child.output())

    assert _check(_connector("bf", home, external=True, argv=(), executable=None), base=memory) == ()


def test_a_channel_whose_owner_was_killed_is_free(home: Path, memory: Path, children: Children) -> None:
    child = children.sim("connector", "bf")
    until(lambda: "live" in child.output())
    child.kill()

    assert _check(_connector("bf", home), base=memory) == ()


def test_too_little_shared_memory_is_warned_of_with_what_it_leads_to(home: Path, memory: Path) -> None:
    free = shutil.disk_usage("/dev/shm").free
    unit = _connector("bf", home)
    many = [_connector(f"bf{number}", home) for number in range(10)] * (free // 80_000_000 + 2)
    running = {"bf": os.getpid()} | {spec.name: os.getpid() for spec in many}

    warnings = _check(*(UnitSpec(**_bot_of(spec)) for spec in many), base=memory)
    assert len(warnings) == 1
    assert "SIGBUS" in warnings[0]
    assert _check(unit, base=memory, running=running) == ()


def _bot_of(connector: UnitSpec) -> dict[str, Any]:
    """Return a bot on a connector: it needs shared memory too, and no channel is looked at for it."""
    fields = {name: getattr(connector, name) for name in ("name", "argv", "executable", "cwd", "env")}
    return {**fields, "kind": Kind.BOT, "target": Level.READY, "attaches": ("bf",)}


def test_configs_that_are_not_on_a_tmpfs_are_warned_of(home: Path) -> None:
    no_tmpfs = Path("/proc/never-made")
    with_config = _connector("bf", home, files=(File("/x.toml", "0" * 64),))
    warnings = _check(with_config, base=no_tmpfs)

    assert len(warnings) == 1
    assert "keys in rendered configs reach the disk" in warnings[0]
    assert _check(_connector("bf", home, type="sim", files=with_config.files), base=no_tmpfs) == ()
    assert _check(_connector("bf", home), base=no_tmpfs) == ()


def test_all_that_hinders_a_start_is_told_at_once(home: Path, memory: Path) -> None:
    units = [_connector(name, home, resources=Resources(cpus=(core,))) for name, core in (("bf", 4095), ("by", 4094))]
    with pytest.raises(RefusedError) as caught:
        _check(*units, base=memory)
    told = str(caught.value).splitlines()
    assert told[0] == "2 things hinder a start"
    assert told[1] == "bf: cpus 4095 are not available here"
    assert told[2].startswith("    available: ")
    assert told[3] == "by: cpus 4094 are not available here"


@pytest.mark.parametrize(("prefix", "reason"), [("mm-1", False), ("mm-1", True), ("nn-", False)])
def test_an_order_prefix_of_another_stack_that_runs_is_refused_before_the_config_is_written(
    home: Path,
    memory: Path,
    prefix: str,
    reason: bool,  # noqa: FBT001 - a column
) -> None:
    base = Home(memory / "state", memory / "run", os.geteuid())
    table = {"api_key": "K3yOfBoth", "secret": "S"}
    old, new = base.stack("old"), base.stack("prod")
    old.prepare()
    written, planned = Configs(old.configs), Configs(new.configs)
    theirs = _connector("bx", home, files=(written.table("bx", {**table, "order_prefix": "mm-"}),))
    written.write()
    running = Deployment(stack="old", file="/srv/old.yaml", network="testnet", units=(theirs,))
    files.replace_file(old.deployment, records.seal(running), durable=False)
    ours = _connector("bf", home, files=(planned.table("bf", {**table, "order_prefix": prefix}),))
    deployment = Deployment(stack="prod", file="/srv/prod.yaml", network="testnet", units=(ours,))
    sharing = frozenset({"bf"} if reason else ())

    def judged() -> tuple[str, ...]:
        return check(deployment, new, {}, environ={}, configs=planned, sharing=sharing)

    assert judged() == ()  # nothing of the other one runs
    held = lock.acquire(old.lock)
    assert held is not None
    try:
        if prefix == "mm-1" and not reason:
            with pytest.raises(RefusedError, match="overlaps that of bx in stack old, which runs") as caught:
                judged()
            assert caught.value.where == "bf"
            assert "K3yOfBoth" not in str(caught.value)
        else:
            assert judged() == ()
    finally:
        os.close(held)
