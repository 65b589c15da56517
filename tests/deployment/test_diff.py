from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from orchestrator.deployment.diff import Difference, difference, needs_restart
from orchestrator.deployment.model import (
    Channel,
    Dependency,
    Deployment,
    Endpoint,
    File,
    Health,
    Hook,
    Hooks,
    Kind,
    Level,
    Logs,
    Notify,
    ReadyCheck,
    Resources,
    Restart,
    RestartPolicy,
    UnitSpec,
    Window,
)

BASE = UnitSpec(
    name="bf",
    kind=Kind.CONNECTOR,
    argv=("/bin/connector", "bf", "binancefutures", "/run/bf.toml"),
    executable=File("/state/binaries/4f1c/connector", "4f1c"),
    cwd="/",
    env=(("RUST_LOG", "info"),),
    target=Level.CONNECTED,
    type="binancefutures",
    files=(File("/run/bf.toml", "aa"),),
    channel=Channel("bf"),
    code=(File("/bots/mm.py", "aa"),),
)
BY_HAND = replace(BASE, external=True, argv=(), executable=None, env=(), files=(), code=None)
HOOK = Hook(("/bin/true",), "/", (), 5.0)
NEW_PROCESS: dict[str, Any] = {
    "external": True,
    "kind": Kind.SERVICE,
    "argv": ("/bin/connector", "bf", "bybit", "/run/bf.toml"),
    "executable": File("/state/binaries/9a00/connector", "9a00"),
    "cwd": "/elsewhere",
    "env": (("RUST_LOG", "debug"),),
    "files": (File("/run/bf.toml", "bb"),),
    "channel": Channel("bf", root="/elsewhere"),
    "resources": Resources(nice=-5),
    "code": (File("/bots/mm.py", "bb"),),
}
TAKEN_UP: dict[str, Any] = {
    "target": Level.LIVE,
    "depends_on": (Dependency("proxy"),),
    "streams": (Endpoint("localhost", 1),),
    "attaches": ("by",),
    "ready": ReadyCheck(log="up"),
    "health": Health(startup=1.0),
    "restart": Restart(RestartPolicy.NEVER),
    "grace": 1.0,
    "hooks": Hooks(on_failed=HOOK),
    "logs": Logs(keep=1 << 30),
}
# The type is in argv and decides nothing by itself; what is given says what of argv may be shown.
SILENT: dict[str, Any] = {"type": "bybit", "given": ("argv.1",)}


def stack(*units: UnitSpec) -> Deployment:
    return Deployment("prod", "/prod.yaml", "testnet", units)


def named(*names: str) -> Deployment:
    return stack(*(replace(BASE, name=name) for name in names))


def nothing() -> Difference:
    return Difference((), (), {}, {}, ())


def test_every_field_of_a_unit_is_judged() -> None:
    assert {"name"} | NEW_PROCESS.keys() | TAKEN_UP.keys() | SILENT.keys() == {f.name for f in fields(UnitSpec)}


@pytest.mark.parametrize("name", NEW_PROCESS)
def test_what_only_a_new_process_takes_up_restarts_the_unit(name: str) -> None:
    changed = difference(stack(BASE), stack(replace(BASE, **{name: NEW_PROCESS[name]})))
    word = "config" if name == "files" else name
    assert changed == replace(nothing(), restarted={"bf": (word,)})


@pytest.mark.parametrize("name", TAKEN_UP)
def test_what_a_running_process_takes_up_restarts_nothing(name: str) -> None:
    new = replace(BASE, **{name: TAKEN_UP[name]})
    assert difference(stack(BASE), stack(new)) == replace(nothing(), adopted={"bf": (name,)})
    assert needs_restart(BASE, new) == ()


@pytest.mark.parametrize("restart", [Restart(max_age=82800.0), Restart(window=Window(10800, 14400))])
def test_an_age_and_its_window_are_taken_up_by_the_running_process(restart: Restart) -> None:
    assert needs_restart(BASE, replace(BASE, restart=restart)) == ()


def test_whom_to_notify_changes_no_unit() -> None:
    new = replace(stack(BASE), notify=Notify(HOOK))
    assert difference(stack(BASE), new) == replace(nothing(), kept=("bf",))


@pytest.mark.parametrize(("old", "new"), [(BASE, BY_HAND), (BY_HAND, BASE)], ids=["into", "out of"])
def test_a_unit_that_passes_into_or_out_of_other_hands_has_another_process(old: UnitSpec, new: UnitSpec) -> None:
    assert needs_restart(old, new)[0] == "external"
    assert "bf" in difference(stack(old), stack(new)).restarted


def test_a_connector_that_stays_external_takes_up_what_changes() -> None:
    new = replace(BY_HAND, health=Health(stale_after=1.0))
    assert difference(stack(BY_HAND), stack(new)) == replace(nothing(), adopted={"bf": ("health",)})


def test_a_restart_names_what_is_taken_up_along_with_it() -> None:
    new = replace(BASE, cwd="/elsewhere", grace=1.0)
    assert difference(stack(BASE), stack(new)).restarted == {"bf": ("cwd", "grace")}


def test_a_program_of_the_same_bytes_at_another_place_is_no_change() -> None:
    assert needs_restart(BASE, replace(BASE, executable=File("/elsewhere/connector", "4f1c"))) == ()


def test_a_program_replaced_in_place_is_a_change() -> None:
    assert needs_restart(BASE, replace(BASE, executable=File("/state/binaries/4f1c/connector", "9a00"))) == (
        "executable",
    )


def test_code_that_is_gone_is_a_change() -> None:
    assert needs_restart(BASE, replace(BASE, code=())) == ("code",)


@pytest.mark.parametrize("files", [(), (File("/run/bf.toml", "aa"), File("/run/more.toml", "bb"))])
def test_a_config_that_comes_or_goes_is_a_change(files: tuple[File, ...]) -> None:
    assert needs_restart(BASE, replace(BASE, files=files)) == ("config",)


@pytest.mark.parametrize(("old", "new"), [(None, BASE.code), (BASE.code, None)])
def test_code_that_nobody_looked_at_restarts_nothing(
    old: tuple[File, ...] | None, new: tuple[File, ...] | None
) -> None:
    assert needs_restart(replace(BASE, code=old), replace(BASE, code=new)) == ()


def test_nothing_deployed_means_that_everything_is_added() -> None:
    assert difference(None, named("a", "b")) == replace(nothing(), added=("a", "b"))


def test_the_same_deployment_changes_nothing() -> None:
    assert difference(named("a", "b"), named("a", "b")) == replace(nothing(), kept=("a", "b"))


def test_the_order_of_units_is_no_change() -> None:
    assert difference(named("a", "b"), named("b", "a")) == replace(nothing(), kept=("b", "a"))


def test_each_unit_stands_in_one_field_in_the_order_of_its_deployment() -> None:
    old = stack(*(replace(BASE, name=name) for name in ("gone2", "gone1", "same", "live", "again")))
    new = stack(
        replace(BASE, name="new2"),
        replace(BASE, name="again", cwd="/elsewhere"),
        replace(BASE, name="same"),
        replace(BASE, name="live", grace=1.0),
        replace(BASE, name="new1"),
    )
    assert difference(old, new) == Difference(
        added=("new2", "new1"),
        removed=("gone2", "gone1"),
        restarted={"again": ("cwd",)},
        adopted={"live": ("grace",)},
        kept=("same",),
    )


def test_a_renamed_unit_is_removed_and_added() -> None:
    assert difference(named("a"), named("b")) == replace(nothing(), added=("b",), removed=("a",))
