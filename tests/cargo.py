"""Cargo on the paper workspace, with libclang from the wheel where the system has none."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Final

from orchestrator.build import toolchain

PAPER: Final = Path(__file__).resolve().parent.parent / "paper"


def environment() -> dict[str, str]:
    """Return the environment in which hftstack itself builds paper/, so that nothing is built twice."""
    environ = dict(os.environ)
    if toolchain.system_libclang(environ) is None and (library := toolchain.wheel_libclang()):
        environ |= toolchain.wheel_environment(library, environ)
    return environ


def main() -> None:
    """Become cargo, in paper/."""
    cargo = shutil.which("cargo")
    if cargo is None:
        sys.exit("cargo is missing: install Rust (rustup, or apt-get install cargo for 1.91 or later)")
    os.chdir(PAPER)
    os.execve(cargo, [cargo, *sys.argv[1:]], environment())  # noqa: S606 - becomes it


if __name__ == "__main__":
    main()
