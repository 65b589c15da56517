"""What is left on disk of the last sign of life."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from orchestrator.supervise.records import Intent, Intents, UnitIntent
from orchestrator.supervise.vigil import Vigil

if TYPE_CHECKING:
    from pathlib import Path

_WANTED = Intents({"bf": UnitIntent(Intent.UP)})


def _mark(path: Path, at: float) -> None:
    path.touch()
    os.utime(path, (at, at))


@pytest.mark.parametrize(
    ("memory", "disk", "last", "slack"),
    [(200.0, 150.0, 200.0, 5), (None, 150.0, 150.0, 60), (200.0, None, 200.0, 5), (None, None, None, 0)],
)
def test_the_latest_mark_counts_and_a_reboot_leaves_that_on_disk(
    tmp_path: Path, memory: float | None, disk: float | None, last: float | None, slack: float
) -> None:
    for name, at in (("units.json", memory), ("alive", disk)):
        if at is not None:
            _mark(tmp_path / name, at)
    vigil = Vigil(tmp_path / "units.json", tmp_path / "alive")

    assert (vigil.last, vigil.slack) == (last, slack)
    assert vigil.since() == {"since": None if last is None else int(last * 1e9)}
    said = vigil.gap(_WANTED)
    assert said is not None
    assert ("for how long is not known" in said) == (last is None)


def test_a_stack_that_nobody_wanted_was_missed_by_nobody(tmp_path: Path) -> None:
    vigil = Vigil(tmp_path / "units.json", tmp_path / "alive")

    assert vigil.gap(Intents({"bf": UnitIntent(Intent.STOPPED)})) is None
