"""One round: a stack, some faults drawn from a seed, and after each the checker."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.chaos import checker, clock, written
from tests.chaos.faults import FAULTS
from tests.chaos.ground import Ground, NotHereError
from tests.chaos.stacks import STACKS, WRITER
from tests.integration.harness import Machine

if TYPE_CHECKING:
    from collections.abc import Sequence

SETTLES: Final = 20.0
"""Seconds within which all is well after a fault, on a busy machine: the longest is a frozen unit found silent."""


def drawn(stack: str, seed: int, faults: int, *, only: Sequence[str] = ()) -> list[tuple[str, int]]:
    """Return the faults of a round, each with the seed of its own chance; `only` names those to draw from."""
    chance = random.Random(seed)  # noqa: S311 - a round is drawn again from its seed
    names = sorted(name for name in FAULTS[stack] if not only or name in only)
    return [(chance.choice(names), chance.randrange(1 << 32)) for _ in range(faults)]


@dataclass(frozen=True)
class Played:
    """A round that went well: what was done in it, and what this machine could not play."""

    said: list[str]
    missing: list[str]


def play(seed: int, faults: int, *, stack: str = "simulator", only: Sequence[str] = ()) -> Played:
    """Play a round. Raises AssertionError with the seed, what was done and what is wrong."""
    machine = Machine()
    missing: list[str] = []
    try:
        clocks = clock.make(machine.folder / "py")
        if clocks is not None:
            machine.python = clocks.python
        ground = Ground(machine, STACKS[stack](machine), random.Random(seed), clocks)  # noqa: S311
        ground.up()
        with checker.Witness(machine.folder) as witness:
            for name, own in drawn(stack, seed, faults, only=only):
                ground.said.append(f"-- {name}")
                ground.chance = random.Random(own)  # noqa: S311
                try:
                    FAULTS[stack][name](ground)
                except NotHereError as error:
                    ground.said.append(f"not played: {error}")
                    missing.append(f"{name}: {error}")
                    continue
                _judge(seed, ground, [*_outcome(ground), *witness.twice])
            ground.said.append("-- down")
            down = ground.begin("down", "s")
            ground.end(down)
            # the real connector, as upstream's, need not hear SIGTERM within its grace
            unclean = [down.told()] if down.process.returncode and ground.stack.port == 0 else []
            _judge(seed, ground, [*ground.wrong(), *ground.remains(), *witness.twice, *unclean, *_unwritten(ground)])
        assert witness.looks > faults, "the witness did not look"
    finally:
        machine.close()
    return Played(ground.said, missing)


def _outcome(ground: Ground) -> list[str]:
    stack, machine = ground.stack, ground.machine
    outcome = checker.Outcome(machine.folder, stack.units, stack.feeds, machine.pids)
    return [*ground.wrong(), *outcome.settle(SETTLES), *ground.outlived(), *_unwritten(ground)]


def _unwritten(ground: Ground) -> list[str]:
    found = written.look(ground.machine.state / "logs" / WRITER)
    ground.said.append(f"{found.lines} lines written, {found.archives} archives, {found.lost} bytes given up")
    lost = [f"{found.lost} bytes given up, and no disk was full"] if found.lost and not ground.filled else []
    return [*found.wrong, *lost, *(() if found.lines else ["the writer wrote nothing"])]


def _judge(seed: int, ground: Ground, wrong: list[str]) -> None:
    if wrong:
        machine = ground.machine
        log = machine.state / "supervisor.log"
        said = log.read_text(encoding="utf-8", errors="replace")[-4000:] if log.exists() else ""
        on = "" if ground.stack.name == "simulator" else f" STACK={ground.stack.name}"
        story = "\n".join(ground.said)
        raise AssertionError(
            f"seed {seed}: reproduce with: make soak SEED={seed}{on}\n{story}\n-- wrong\n"
            + "\n".join(wrong)
            + f"\n-- status\n{machine.hftstack('status', 's').said}\n-- supervisor.log\n{said}"
        )
