"""When a failed unit starts again. Pure: the randomness is handed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.deployment.model import Backoff, Limit


def delay(backoff: Backoff, failures: int, noise: float) -> float:
    """Return the seconds to wait before the restart that follows the `failures`-th failure in a row.

    The first restart is immediate. `noise` in [0, 1) picks the point within the jitter, 0.5 its middle.
    """
    if failures <= 1:
        return 0.0
    try:
        plain = min(backoff.initial * backoff.factor ** (failures - 2), backoff.maximum)
    except OverflowError:
        plain = backoff.maximum
    return plain * (1 + backoff.jitter * (2 * noise - 1))


def within(window: tuple[float, ...], limit: Limit, now: float) -> tuple[float, ...]:
    """Return the instants of `window` that still count at `now`."""
    return tuple(at for at in window if now - at < limit.window)


TRANSIENT_DELAYS = (0.0, 0.1, 0.2, 0.4)
"""Seconds before each retry of a start that died while iceoryx2 was still cleaning up."""

TRANSIENT_LIFE = 1.0
"""A connector that dies within this many seconds of its start, never live, died of iceoryx2's clean-up."""

REPAIR_AT = 2
"""Starts in a row that died before they were live: one may be iceoryx2 cleaning up, this many are remains."""
