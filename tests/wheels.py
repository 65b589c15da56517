"""Wheels of iceoryx2 in virtual environments of their own: a process of Python holds one version."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

import pytest

CURRENT: Final = "0.10.0"
"""The version that the simulator is installed with, in the tests' own environment."""

LATEST: Final = ("0.7.0", "0.8.1", "0.9.3", CURRENT)
"""The last patch of each minor version."""

EARLIER: Final = ("0.8.0", "0.9.0", "0.9.1", "0.9.2")
"""The other patches that were published."""

_CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hftstack-tests"


def interpreter(version: str) -> Path:
    """Return a Python with that version of the wheel; its environment is made once, whoever asks first."""
    if version == CURRENT:
        return Path(sys.executable)
    place = _CACHE / f"iceoryx2-{version}-{sys.implementation.cache_tag}"
    place.parent.mkdir(parents=True, exist_ok=True)
    python, complete = place / "bin/python", place / "complete"
    with place.with_name(f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists() or not python.exists():
            venv.create(place, clear=True)
            _install(python, f"iceoryx2=={version}")
            complete.touch()
    return python


def _install(python: Path, requirement: str) -> None:
    options = ("--quiet", "--disable-pip-version-check", "--only-binary", ":all:")
    command = (sys.executable, "-m", "pip", "--python", str(python), "install", *options, requirement)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = f"{requirement} cannot be installed: {done.stderr.strip()}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
