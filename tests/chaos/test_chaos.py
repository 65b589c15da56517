from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from tests.chaos import rounds
from tests.chaos.faults import FAULTS
from tests.chaos.soak import FAULTS_A_ROUND

if TYPE_CHECKING:
    from pathlib import Path

_SEEDS: Final = (1, 2, 62, 223, 911)
"""Few rounds that have every fault between them."""

_PAPER_SEED: Final = 21413
"""A round with each fault of the exchange."""


def _play(seed: int, stack: str) -> None:
    """Play a round as `make soak SEED=` does: with the small file systems that root has there."""
    command = [sys.executable, "-m", "tests.chaos.soak", "--seed", str(seed), "--stack", stack]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("seed", _SEEDS)
@pytest.mark.timeout(300)
def test_after_every_fault_each_unit_runs_once_and_each_bot_hears_its_connectors(seed: int) -> None:
    _play(seed, "simulator")


@pytest.mark.timeout(300)
def test_so_it_is_with_the_real_programs(paper_binaries: Path) -> None:
    assert paper_binaries.is_dir()
    _play(_PAPER_SEED, "paper")


def _names(stack: str, *seeds: int) -> set[str]:
    return {name for seed in seeds for name, _ in rounds.drawn(stack, seed, FAULTS_A_ROUND)}


def test_the_rounds_here_have_every_fault_between_them() -> None:
    assert _names("simulator", *_SEEDS) == set(FAULTS["simulator"])
    assert _names("paper", _PAPER_SEED) >= set(FAULTS["paper"]) - set(FAULTS["simulator"])


@pytest.mark.parametrize("stack", FAULTS)
def test_a_seed_draws_the_same_round_again(stack: str) -> None:
    assert rounds.drawn(stack, 7, 5) == rounds.drawn(stack, 7, 5) != rounds.drawn(stack, 8, 5)
