from __future__ import annotations

import os
import tempfile
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator import resolve, stack
from orchestrator.build import BuildResult, Program
from orchestrator.build.store import store
from orchestrator.deployment.homes import StackHome, locate
from orchestrator.resolve.configs import Configs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.deployment.model import Deployment, UnitSpec
    from orchestrator.stack.model import Stack


@dataclass(frozen=True)
class Desk:
    """A folder with a stack file in it, a prepared home, and the environment of a caller."""

    folder: Path
    home: StackHome
    environ: Mapping[str, str]

    def write(self, path: str, text: str, mode: int = 0o644) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        file.chmod(mode)
        return file

    def load(self, text: str) -> Stack:
        head = "version: 1\nname: desk\nnetwork: local\n"
        return stack.load(self.write("desk.yaml", head + textwrap.dedent(text)), self.environ)

    def resolve(self, text: str, binaries: BuildResult | None = None) -> Deployment:
        configs = Configs(self.home.configs)
        deployment = resolve.resolve(
            self.load(text), home=self.home, binaries=binaries, environ=self.environ, configs=configs
        )
        configs.write()
        return deployment

    def unit(self, name: str, text: str, binaries: BuildResult | None = None) -> UnitSpec:
        return self.resolve(text, binaries).unit(name)

    def built(self, *programs: Program) -> BuildResult:
        """Binaries as a build leaves them, made of scripts."""
        stored = {}
        for program in programs:
            script = self.write(f"target/{program.binary or program.package}", f"#!/bin/sh\n# {program}\n", 0o755)
            stored[program] = store(script, self.home.binaries)
        return BuildResult(binaries=stored, features=(), workspace=self.folder, seconds=0.0, rebuilt=True)


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's, unlike tmp_path."""
    with tempfile.TemporaryDirectory(prefix="hft-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def desk(tmp_path: Path, short_path: Path) -> Desk:
    home = locate({"HFTSTACK_HOME": str(short_path)}).stack("desk")
    home.prepare()
    folder = tmp_path / "desk"
    (folder / "tree").mkdir(parents=True)
    environ = {
        "PATH": f"{folder}/bin:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "BINANCE_KEY": "hush",
        "TERM": "xterm",
    }
    return Desk(folder, home, environ)
