"""A unit that writes numbered lines of 64 bytes: a hundred a second, and as fast as it can while `burst` is there.

So a line's number is its place: byte 64 N begins line N, and a page holds whole lines, which no SIGKILL cuts.
"""

from __future__ import annotations

import os
import sys
import time

WIDTH = 64
BURST = 4000


def line(number: int) -> bytes:
    """Return a line with its newline."""
    return f"line {number:010} ".encode().ljust(WIDTH - 1, b".") + b"\n"


def main(burst: str) -> None:
    """Write for ever. What the disk does not take is written again, from where it stopped."""
    number = 0
    rest = b""
    left = 0
    while True:
        rest = rest or line(number)
        try:
            rest = rest[os.write(1, rest) :]
        except OSError:
            time.sleep(0.01)
            continue
        if rest:
            continue
        number += 1
        if number % 50 == 0 and os.path.exists(burst):  # noqa: PTH110 - pathlib takes 20 ms to load
            os.unlink(burst)  # noqa: PTH108 - likewise
            left = BURST
        if left:
            left -= 1
        else:
            time.sleep(0.01)


if __name__ == "__main__":
    main(sys.argv[1])
