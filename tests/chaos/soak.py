"""Rounds of random faults for a long time: `make soak`, `make soak SECONDS=600`, `make soak SEED=7 STACK=paper`."""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from typing import Final

from tests.chaos import rounds
from tests.chaos.ground import DISK, MEMORY
from tests.chaos.stacks import STACKS

FAULTS_A_ROUND: Final = 5
_MOUNTS: Final = "".join(f"mount -t tmpfs -o size=32m,mode=1777 tmpfs {place} && " for place in (DISK, MEMORY))
_SMALL: Final = ("unshare", "--mount", "/bin/sh", "-c", f'{_MOUNTS} exec "$@"', "sh")
_INSIDE: Final = "HFTSTACK_SOAK_NAMESPACE"


def main() -> int:
    """Play rounds until the time is over; every one that fails is told with its seed. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="soak", allow_abbrev=False)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--seed", type=int, action="append", default=[], help="play this round; more than once")
    parser.add_argument("--stack", choices=STACKS, default="simulator")
    parser.add_argument("--faults", type=int, default=FAULTS_A_ROUND, help="in each round")
    parser.add_argument("--only", action="append", default=[], help="a fault to draw from; more than once")
    parser.add_argument("--tell", action="store_true", help="say what was done in rounds that go well, too")
    options = parser.parse_args()
    if _INSIDE not in os.environ and _may_mount():
        command = [*_SMALL, sys.executable, "-m", "tests.chaos.soak", *sys.argv[1:]]
        os.execvpe(command[0], command, {**os.environ, _INSIDE: "1"})  # noqa: S606 - the point: this very process
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # a round that is cut short, too, leaves nothing
    deadline = time.monotonic() + options.seconds
    played = failed = 0
    missing: set[str] = set()
    seeds = list(reversed(options.seed))
    while seeds if options.seed else time.monotonic() < deadline:
        seed = seeds.pop() if seeds else random.SystemRandom().randrange(1 << 32)
        begun = time.monotonic()
        try:
            found = rounds.play(seed, options.faults, stack=options.stack, only=options.only)
        except AssertionError as error:
            failed += 1
            _say(str(error))
        else:
            if options.tell:
                _say("\n".join(found.said))
            for text in sorted(set(found.missing) - missing):
                _say(f"not played on this machine: {text}")
            missing.update(found.missing)
        played += 1
        _say(f"{played} rounds, {failed} failed; the last seed was {seed}, {time.monotonic() - begun:.0f} s")
    return min(failed, 1)


def _may_mount() -> bool:
    """Tell whether /tmp and /dev/shm can be small ones of our own, for the faults that fill them."""
    return (
        os.geteuid() == 0 and subprocess.run([*_SMALL, "/bin/true"], check=False, capture_output=True).returncode == 0
    )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
