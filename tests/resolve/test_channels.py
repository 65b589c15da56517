from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.channel import ChannelConfigError
from orchestrator.errors import RefusedError
from orchestrator.resolve.channels import check_meeting

if TYPE_CHECKING:
    from tests.resolve.conftest import Desk

_OWN = '[global]\nroot-path = "/srv/own"\nroot-path-unix = "/srv/own"\nprefix = "own_"\n'


def _stack(bot: str, connector: str = "cwd: a") -> str:
    return f"""
        connectors: {{one: {{type: sim, {connector}}}}}
        bots: {{mm: {{command: [sleep, "1"], depends_on: [one], {bot}}}}}
        """


def test_a_bot_that_would_never_meet_its_connector_is_refused_with_both_places_and_the_cure(desk: Desk) -> None:
    file = desk.write("a/config/iceoryx2.toml", _OWN)
    with pytest.raises(RefusedError) as caught:
        check_meeting(desk.resolve(_stack("cwd: .")))
    assert caught.value.exit_code == 7
    assert caught.value.where == "mm"
    assert "never meet one" in caught.value.message
    assert (
        "mm to root /tmp/iceoryx2, prefix iox2_ (its defaults: no config/iceoryx2.toml found)" in caught.value.message
    )
    assert f"one to root /srv/own, prefix own_ ({file})" in caught.value.message
    assert "`cwd` of one" in (caught.value.hint or "")
    assert "attached: false" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "other", [_OWN.replace("own_", "other_"), _OWN.replace("/srv/own", "/srv/other")], ids=["prefix", "root"]
)
def test_another_root_or_another_prefix_alone_splits(desk: Desk, other: str) -> None:
    desk.write("a/config/iceoryx2.toml", _OWN)
    desk.write("b/config/iceoryx2.toml", other)
    with pytest.raises(RefusedError, match="never meet"):
        check_meeting(desk.resolve(_stack("cwd: b")))


def test_two_files_that_say_the_same_are_one_place(desk: Desk) -> None:
    desk.write("a/config/iceoryx2.toml", _OWN)
    desk.write("b/config/iceoryx2.toml", _OWN + "\n[defaults]\n")
    assert check_meeting(desk.resolve(_stack("cwd: b"))) == ()
    assert check_meeting(desk.resolve(_stack("cwd: a"))) == ()


def test_a_bot_that_need_not_be_seen_attached_is_only_warned_of(desk: Desk) -> None:
    desk.write("a/config/iceoryx2.toml", _OWN)
    (warning,) = check_meeting(desk.resolve(_stack("cwd: ., attached: false")))
    assert warning.startswith("mm: it would never meet one")


def test_a_bot_is_judged_by_the_root_that_its_connectors_version_reads(desk: Desk) -> None:
    """A simulated connector reads root-path only: a file with the old key alone leaves it at the default root."""
    desk.write("a/config/iceoryx2.toml", '[global]\nroot-path-unix = "/srv/own"\n')
    assert check_meeting(desk.resolve(_stack("cwd: ."))) == ()


def test_a_bot_whose_iceoryx2_configuration_is_unusable_is_an_error_that_names_the_file(desk: Desk) -> None:
    file = desk.write("b/config/iceoryx2.toml", "[global")
    deployment = desk.resolve(_stack("cwd: b", "cwd: ."))
    with pytest.raises(ChannelConfigError) as caught:
        check_meeting(deployment)
    assert caught.value.where == str(file)
