from __future__ import annotations

import pytest

from tests.chaos import rounds


@pytest.mark.parametrize("seed", range(1, 7))
@pytest.mark.timeout(300)
def test_after_every_fault_each_unit_runs_once_and_each_bot_hears_its_connectors(seed: int) -> None:
    rounds.play(seed, 5)
