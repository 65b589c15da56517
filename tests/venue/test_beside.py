from __future__ import annotations

import json
from dataclasses import replace

import pytest

from orchestrator.deployment.model import Channel, Deployment, File, Resources, UnitSpec
from orchestrator.venue.beside import Clash, clashes
from tests.supervise.specs import bot, connector, service

OWN = File("/run/a.toml", "aa")
OTHER = File("/run/b.toml", "bb")


def stack(name: str, *units: UnitSpec) -> Deployment:
    return Deployment(stack=name, file=f"/{name}.yaml", network="testnet", units=units)


def pinned(unit: UnitSpec, *cores: int) -> UnitSpec:
    return replace(unit, resources=Resources(cpus=cores))


def configured(unit: UnitSpec, file: File) -> UnitSpec:
    return replace(unit, files=(file,), env=(("HFTBACKTEST_CHANNEL_CONFIG", file.path),))


def found(deployment: Deployment, *running: Deployment) -> list[Clash]:
    return list(clashes(deployment, running))


def test_a_channel_of_a_stack_that_runs_is_refused() -> None:
    (clash,) = found(stack("new", connector("bf"), connector("by")), stack("old", connector("bf")))

    assert (clash.unit, clash.refuses) == ("bf", True)
    assert clash.message == "the channel bf is that of stack old, which runs"


@pytest.mark.parametrize(
    "running",
    [
        stack("old", connector("bx")),
        stack("old", replace(connector("bf"), channel=Channel("bf", root="/elsewhere"))),
        stack("old", replace(connector("bf"), channel=Channel("bf", prefix="own_"))),
        stack("old", replace(connector("bf"), external=True)),
        stack("old", service("bf")),
        stack("new", connector("bf")),
    ],
    ids=["another name", "another root", "another prefix", "only watched there", "no connector", "the stack itself"],
)
def test_other_channels_are_nobody_s_business(running: Deployment) -> None:
    assert found(stack("new", connector("bf")), running) == []


def test_an_external_connector_may_be_that_of_another_stack() -> None:
    assert found(stack("new", replace(connector("bf"), external=True)), stack("old", connector("bf"))) == []


@pytest.mark.parametrize(("theirs", "mine", "agree"), [(OWN, OWN, True), (OWN, OTHER, False), (OWN, None, False)])
def test_a_bot_has_the_channel_settings_of_the_stack_that_owns_its_connector(
    theirs: File,
    mine: File | None,
    agree: bool,  # noqa: FBT001 - a column
) -> None:
    mm = replace(bot("mm", "bf"), attaches=("bf",))
    new = stack("new", replace(connector("bf"), external=True), configured(mm, mine) if mine else mm)

    clash = found(new, stack("old", configured(connector("bf"), theirs)))

    assert [(c.unit, c.refuses) for c in clash] == ([] if agree else [("mm", True)])


def test_a_core_of_a_stack_that_runs_is_a_warning() -> None:
    (clash,) = found(stack("new", pinned(bot("mm"), 3, 4)), stack("old", pinned(service("s"), 2, 3)))

    assert (clash.unit, clash.message, clash.refuses) == ("mm", "core 3 is that of s in stack old too", False)


def keyed(
    name: str, prefix: str | None, *, kind: str = "binancefutures", key: str = "K", signed: bool = True
) -> UnitSpec:
    """Return a connector whose table stands in the path of its config, as it does nowhere else."""
    table = {"api_key": key, "secret": "S" if signed else "", **({} if prefix is None else {"order_prefix": prefix})}
    return replace(connector(name), type=kind, files=(File(json.dumps(table), "cc"),))


def overlapping(mine: UnitSpec, theirs: UnitSpec, *, sharing: tuple[str, ...] = ()) -> list[Clash]:
    new, old = stack("new", mine), stack("old", service("other"), theirs)
    return list(clashes(new, [old], table=lambda unit: json.loads(unit.files[0].path), sharing=sharing))


@pytest.mark.parametrize(
    ("mine", "theirs"), [("mm-", "mm-"), ("mm", "mm-"), ("mm-1", "mm-"), ("", "mm-"), (None, None)]
)
def test_an_order_prefix_of_a_stack_that_runs_is_refused_on_the_same_account(
    mine: str | None, theirs: str | None
) -> None:
    (clash,) = overlapping(keyed("bf", mine), keyed("bx", theirs))

    assert (clash.unit, clash.refuses) == ("bf", True)
    assert "that of bx in stack old, which runs" in clash.message
    assert overlapping(keyed("bf", mine), keyed("bx", theirs), sharing=("bf",)) == []


@pytest.mark.parametrize(
    "theirs",
    [
        keyed("bx", "nn-"),
        keyed("bx", "mm-", key="L"),
        keyed("bx", "mm-", kind="binancespot"),
        keyed("bx", "mm-", signed=False),
        replace(keyed("bx", "mm-"), external=True),
    ],
    ids=["another prefix", "another account", "another exchange", "no account", "started by hand"],
)
def test_other_prefixes_are_nobody_s_business(theirs: UnitSpec) -> None:
    assert overlapping(keyed("bf", "mm-"), theirs) == []


def test_a_config_that_cannot_be_read_hinders_nobody() -> None:
    new, old = stack("new", keyed("bf", "mm-")), stack("old", keyed("bx", "mm-"))

    assert list(clashes(new, [old], table=lambda _: None)) == []
