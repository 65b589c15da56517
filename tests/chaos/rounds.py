"""One round: a stack, some faults drawn from a seed, and after each the checker."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

from tests.chaos import checker
from tests.chaos.faults import Faults
from tests.integration.harness import Machine

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SETTLES: Final = 20.0
"""Seconds within which all is well after a fault, on a busy machine: the longest is a frozen unit found silent."""

_BOTS: Final = {"m1": ("bf",), "m2": ("bf", "by")}
UNITS: Final = ("bf", "by", "m1", "m2", "s1")


def stack() -> dict[str, Any]:
    """Return two simulated connectors, a bot on one and one on both, and a service."""
    restart = {"backoff": {"initial": "50ms", "max": "200ms"}, "limit": {"restarts": 1000, "window": "1m"}}
    return {
        "defaults": {"restart": restart, "health": {"stale_after": "1s"}},
        "services": {"s1": {"command": ["sleep", "100000"]}},
        "connectors": {name: {"type": "sim", "config": {"rate": 100}} for name in ("bf", "by")},
        "bots": {
            bot: {
                "type": "sim",
                "depends_on": list(feeds),
                "restart": {"policy": "on-failure"},  # which no default gives a bot
                "stop": {"grace": "1s"},
            }
            for bot, feeds in _BOTS.items()
        },
    }


def play(seed: int, faults: int, *, only: Sequence[str] = (), small: Sequence[Path] = ()) -> None:
    """Play a round. Raises AssertionError with the seed, what was done and what is wrong.

    `only` names the faults to draw from; `small` are file systems that may be filled.
    """
    chance = random.Random(seed)  # noqa: S311 - a round is drawn again from its seed
    machine = Machine()
    done = Faults(machine, UNITS, chance, tuple(small))
    try:
        machine.write(stack())
        done.up()
        table = {name: fault for name, fault in done.all().items() if not only or name in only}
        with checker.Witness(machine.folder) as witness:
            for _ in range(faults):
                name = chance.choice(sorted(table))
                done.said.append(f"-- {name}")
                table[name]()
                outcome = checker.Outcome(machine.folder, UNITS, _BOTS, machine.pids, mute=done.filled)
                _judge(seed, machine, done, [*done.wrong(), *outcome.settle(SETTLES), *witness.twice])
            done.said.append("-- down")
            down = machine.hftstack("down", "s")
            left = checker.remains(machine.folder, 20)
            _judge(seed, machine, done, [*left, *witness.twice, *([down.said] if down.code else [])])
        assert witness.looks > faults, "the witness did not look"
    finally:
        machine.close()


def _judge(seed: int, machine: Machine, done: Faults, wrong: list[str]) -> None:
    if wrong:
        log = machine.state / "supervisor.log"
        said = log.read_text(encoding="utf-8", errors="replace")[-4000:] if log.exists() else ""
        story = "\n".join(done.said)
        raise AssertionError(
            f"seed {seed}: reproduce with: make soak SEED={seed}\n{story}\n-- wrong\n"
            + "\n".join(wrong)
            + f"\n-- status\n{machine.hftstack('status', 's').said}\n-- supervisor.log\n{said}"
        )
