"""Latches on disk: what counts is that they are there."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from orchestrator.deployment.homes import locate
from orchestrator.errors import RefusedError
from orchestrator.supervise import halt
from orchestrator.supervise.halt import LatchError, Scope

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.deployment.homes import StackHome


@pytest.fixture
def stack(tmp_path: Path) -> StackHome:
    """The home of a stack, its folders made."""
    home = locate({"HFTSTACK_HOME": str(tmp_path)}).stack("prod")
    home.prepare()
    return home


def test_a_latch_says_why_who_and_when_until_it_is_released(stack: StackHome) -> None:
    before = time.time_ns()
    halt.latch(stack.home, "the model is wrong", "alice")
    found = halt.latched(stack)

    assert found is not None
    assert (found.reason, found.user, found.scope) == ("the model is wrong", "alice", Scope.USER)
    assert before <= found.at <= time.time_ns()
    assert halt.is_latched(stack)
    assert halt.release(stack.home) == found
    assert halt.latched(stack) is None
    assert not halt.is_latched(stack)
    assert halt.release(stack.home) is None


def test_a_latch_of_a_stack_leaves_the_others_alone(stack: StackHome) -> None:
    halt.latch(stack, "one", "alice")

    assert halt.latched(stack.home.stack("other")) is None
    assert str(halt.latched(stack)).startswith("halted by alice at 2")
    halt.latch(stack.home, "all", "bob")
    assert halt.release(stack) is not None
    found = halt.latched(stack)
    assert found is not None
    assert found.reason == "all"


def test_what_is_refused_names_the_reason_and_the_cure(stack: StackHome) -> None:
    halt.refuse(stack)
    halt.latch(stack, "too fast", "alice")
    with pytest.raises(RefusedError, match=r"prod is halted by alice at .*Z: too fast") as refused:
        halt.refuse(stack)
    assert refused.value.exit_code == 7
    assert refused.value.hint == "hftstack resume --stack prod --reason TEXT releases it"

    halt.latch(stack.home, "everything", "bob")
    with pytest.raises(RefusedError, match="every stack of this user is halted by bob") as refused:
        halt.refuse(stack)
    assert refused.value.hint == "hftstack resume --reason TEXT releases it"


@pytest.mark.parametrize(
    "text",
    [b"", b"\0\0\0", b"{", b"[]", b'{"reason": 1}', b"\xff", b'{"reason":"x","user":"y","at":' + b"9" * 40 + b"}"],
)
def test_a_latch_that_is_empty_or_damaged_halts_all_the_same(stack: StackHome, text: bytes) -> None:
    stack.home.halt.write_bytes(text)

    assert halt.is_latched(stack)
    found = halt.latched(stack)
    assert found is not None
    assert str(found).startswith("halted by ")
    assert halt.release(stack.home) is not None
    assert not halt.is_latched(stack)


def test_a_latch_that_cannot_be_read_is_a_latch(stack: StackHome) -> None:
    stack.halt.symlink_to(stack.halt)

    assert halt.is_latched(stack)
    assert halt.latched(stack) is not None


def test_a_latch_that_cannot_be_written_is_told_and_does_not_hold(tmp_path: Path) -> None:
    home = locate({"HFTSTACK_HOME": str(tmp_path / "never made")})
    with pytest.raises(LatchError, match="cannot be written: No such file") as error:
        halt.latch(home, "why", "alice")

    assert not error.value.is_set
    assert not halt.is_latched(home.stack("prod"))


def test_no_stack_can_be_named_as_the_latch_is(stack: StackHome) -> None:
    halt.latch(stack.home, "why", "alice")

    assert stack.home.stacks() == ("prod",)


def test_who_asked_for_root_is_named_too() -> None:
    alone = halt.user_name({})

    assert alone
    asked = halt.user_name({"SUDO_USER": "alice"})
    assert asked == (f"{alone} (sudo by alice)" if os.getuid() == 0 else alone)
