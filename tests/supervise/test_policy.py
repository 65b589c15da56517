from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.deployment.model import Backoff, Limit
from orchestrator.supervise.policy import TRANSIENT_DELAYS, TRANSIENT_LIFE, delay, within

PLAIN = Backoff(initial=0.1, factor=2.0, maximum=30.0, jitter=0.0)


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(1, 0.0), (2, 0.1), (3, 0.2), (4, 0.4), (5, 0.8), (6, 1.6), (10, 25.6), (11, 30.0), (12, 30.0), (100_000, 30.0)],
)
def test_the_first_restart_is_immediate_and_each_further_one_waits_longer(failures: int, seconds: float) -> None:
    assert delay(PLAIN, failures, 0.5) == pytest.approx(seconds)


@pytest.mark.parametrize(("noise", "seconds"), [(0.0, 0.32), (0.25, 0.36), (0.5, 0.4), (0.75, 0.44)])
def test_jitter_spreads_a_delay_to_both_sides(noise: float, seconds: float) -> None:
    assert delay(Backoff(initial=0.1, factor=2.0, jitter=0.2), 4, noise) == pytest.approx(seconds)


def test_jitter_leaves_the_first_restart_immediate() -> None:
    assert delay(Backoff(jitter=1.0), 1, 0.99) == 0.0


@given(
    failures=st.integers(2, 1000),
    noise=st.floats(0, 1, exclude_max=True),
    jitter=st.floats(0, 1),
    factor=st.floats(1, 1e9),
)
def test_no_delay_leaves_the_jitter_around_its_maximum(
    failures: int, noise: float, jitter: float, factor: float
) -> None:
    backoff = Backoff(initial=0.1, factor=factor, maximum=30.0, jitter=jitter)
    assert 0.1 * (1 - jitter) * 0.999 <= delay(backoff, failures, noise) <= 30.0 * (1 + jitter)


def test_a_maximum_below_the_initial_delay_wins() -> None:
    assert delay(Backoff(initial=5.0, maximum=1.0, jitter=0.0), 2, 0.5) == 1.0


def test_the_window_slides() -> None:
    window = (0.0, 5.0, 9.9)
    limit = Limit(restarts=3, window=10.0)
    assert within(window, limit, 9.9) == window
    assert within(window, limit, 10.0) == (5.0, 9.9)
    assert within(window, limit, 14.9) == (5.0, 9.9)
    assert within(window, limit, 15.0) == (9.9,)
    assert within(window, limit, 100.0) == ()


def test_a_start_that_died_of_the_clean_up_is_tried_again_after_0_100_200_and_400_ms() -> None:
    assert TRANSIENT_DELAYS == (0.0, 0.1, 0.2, 0.4)
    assert TRANSIENT_LIFE == 1.0
