from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.deployment.partial import narrowed
from orchestrator.errors import RefusedError
from tests.supervise.specs import bot, connector, deployment, service


def test_with_nothing_deployed_all_of_the_new_one_is() -> None:
    new = deployment(connector("bf"), bot("mm", "bf"))

    assert narrowed(None, new, ["bf"]) == new


def test_only_the_chosen_units_change_and_the_others_stay_as_they_are_deployed() -> None:
    old = deployment(connector("bf"), connector("by"), bot("mm", "bf"), bot("gone", "by"))
    new = deployment(
        replace(connector("bf"), cwd="/new"), replace(connector("by"), cwd="/new"), bot("mm", "bf"), bot("fresh", "by")
    )
    found = {unit.name: unit for unit in narrowed(old, new, ["bf"]).units}

    assert {name: unit.cwd for name, unit in found.items()} == {
        "bf": "/new",
        "by": "/",
        "mm": "/",
        "fresh": "/",
        "gone": "/",
    }


def test_dependencies_still_come_first_and_the_files_order_is_kept_where_it_can_be() -> None:
    old = deployment(service("z"), service("a"), connector("bf", "z"))
    new = deployment(connector("bf", "a"), service("a"), service("b"))

    assert [unit.name for unit in narrowed(old, new, ["a"]).units] == ["a", "b", "z", "bf"]


def test_units_that_would_depend_on_one_another_are_refused_with_the_cycle() -> None:
    old = deployment(service("a"), service("b", "a"))
    new = deployment(service("b"), service("a", "b"))

    with pytest.raises(RefusedError, match=r"a -> b -> a|b -> a -> b"):
        narrowed(old, new, ["a"])


def test_another_network_is_not_brought_in_by_halves() -> None:
    old = deployment(connector("bf"))

    with pytest.raises(RefusedError, match="runs on local, its file says testnet"):
        narrowed(old, replace(old, network="testnet"), ["bf"])
