"""A Python whose wall clock can be set while it runs, and that of everything that it starts through itself."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent
WHOSE: Final = ("units", "rest")
"""The simulated units have one clock, supervisor and commands another one."""


@dataclass(frozen=True)
class Clocks:
    """The clocks of one round; `python` is what to run."""

    python: Path
    folder: Path

    def step(self, whose: str, seconds: int) -> None:
        """Move a clock at once, by so many seconds further."""
        with (self.folder / f"clock.{whose}").open("r+b", buffering=0) as file:
            (before,) = struct.unpack("=q", file.read(8))
            file.seek(0)
            file.write(struct.pack("=q", before + seconds))


def make(folder: Path) -> Clocks | None:
    """Make a Python in a folder that is not there yet; None without a C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    python = folder / "bin/python3"
    python.parent.mkdir(parents=True)
    for whose in WHOSE:
        (folder / f"clock.{whose}").write_bytes(struct.pack("=q", 0))
    library = ["-shared", "-fPIC", "-o", str(folder / "clock.so"), str(_HERE / "clock.c")]
    launcher = [f'-DPYTHON="{sys.executable}"', "-o", str(python), str(_HERE / "python.c")]
    for words in (library, launcher):
        subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-Werror", *words], check=True)
    # where Python looks for its virtual environment: beside the program that it takes itself for
    own = Path(sys.prefix)
    if (own / "pyvenv.cfg").exists():
        shutil.copy(own / "pyvenv.cfg", folder)
        (folder / "lib").symlink_to(own / "lib")
    return Clocks(python, folder)
