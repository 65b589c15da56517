"""Rounds of random faults for a long time: `make soak`, `make soak SECONDS=600`, `make soak SEED=7`."""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from tests.chaos import rounds

_FULL: Final = (Path("/tmp"), Path("/dev/shm"))
_MOUNTS: Final = "".join(f"mount -t tmpfs -o size=32m,mode=1777 tmpfs {place} && " for place in _FULL)
_SMALL: Final = ("unshare", "--mount", "/bin/sh", "-c", f'{_MOUNTS} exec "$@"', "sh")


def main() -> int:
    """Play rounds until the time is over; every one that fails is told with its seed. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="soak", allow_abbrev=False)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--seed", type=int, help="play this round alone")
    parser.add_argument("--faults", type=int, default=5, help="in each round")
    parser.add_argument("--only", action="append", default=[], help="a fault to draw from; more than once")
    parser.add_argument("--inside", action="store_true", help="/tmp and /dev/shm are small, and nobody else's")
    options = parser.parse_args()
    if not options.inside and _may_mount():
        os.execvp("/usr/bin/unshare", [*_SMALL, sys.executable, "-m", "tests.chaos.soak", *sys.argv[1:], "--inside"])  # noqa: S606 - the point: this very process
    deadline = time.monotonic() + options.seconds
    played = failed = 0
    while True:
        seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
        try:
            rounds.play(seed, options.faults, only=options.only, small=_FULL if options.inside else ())
        except AssertionError as error:
            failed += 1
            _say(str(error))
        played += 1
        _say(f"{played} rounds, {failed} failed; the last seed was {seed}")
        if options.seed is not None or time.monotonic() > deadline:
            return min(failed, 1)


def _may_mount() -> bool:
    return (
        os.geteuid() == 0 and subprocess.run([*_SMALL, "/bin/true"], check=False, capture_output=True).returncode == 0
    )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
