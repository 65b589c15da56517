"""Rounds of random faults for a long time: `make soak`, `make soak SECONDS=600`, `make soak SEED=7`."""

from __future__ import annotations

import argparse
import random
import sys
import time

from tests.chaos import rounds


def main() -> int:
    """Play rounds until the time is over; every one that fails is told with its seed. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="soak", allow_abbrev=False)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--seed", type=int, help="play this round alone")
    parser.add_argument("--faults", type=int, default=5, help="in each round")
    parser.add_argument("--only", action="append", default=[], help="a fault to draw from; more than once")
    options = parser.parse_args()
    deadline = time.monotonic() + options.seconds
    played = failed = 0
    while True:
        seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
        try:
            rounds.play(seed, options.faults, only=options.only)
        except AssertionError as error:
            failed += 1
            _say(str(error))
        played += 1
        _say(f"{played} rounds, {failed} failed; the last seed was {seed}")
        if options.seed is not None or time.monotonic() > deadline:
            return min(failed, 1)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
