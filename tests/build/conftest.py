from __future__ import annotations

import os
import shutil
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from orchestrator.build import CONNECTOR, BuildRequest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from orchestrator.build import Program


@dataclass(frozen=True)
class Workspace:
    """A cargo workspace without dependencies on any registry, in `root`; binaries go to `store`."""

    root: Path
    store: Path
    environ: Mapping[str, str]

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return file

    def package(self, name: str, manifest: str = "", main: str = "fn main() {}") -> None:
        head = f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n'
        self.write(f"{name}/Cargo.toml", head + textwrap.dedent(manifest))
        self.write(f"{name}/src/main.rs", main)

    def request(
        self,
        *features: str,
        programs: tuple[Program, ...] = (CONNECTOR,),
        default_features: bool = True,
        locked: bool | None = None,
        rustflags: tuple[str, ...] = (),
    ) -> BuildRequest:
        return BuildRequest(
            start=self.root / "stacks",
            store=self.store,
            programs=programs,
            features=features,
            default_features=default_features,
            locked=locked,
            rustflags=rustflags,
        )


@pytest.fixture
def cargo_environ() -> dict[str, str]:
    """The environment of a real cargo that never goes to the network; without cargo, skip, and fail in CI."""
    if shutil.which("cargo") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("cargo is not installed")
        pytest.skip("cargo is not installed")
    return {**os.environ, "CARGO_NET_OFFLINE": "true"}


@pytest.fixture
def workspace(tmp_path: Path, cargo_environ: dict[str, str]) -> Workspace:
    """A workspace whose `connector` prints the features that it was built with."""
    made = Workspace(tmp_path / "tree", tmp_path / "binaries", cargo_environ)
    made.write(
        "Cargo.toml",
        '[workspace]\nresolver = "2"\nmembers = ["*"]\nexclude = ["target", "stacks", ".cargo", ".git", "out"]\n',
    )
    made.write("stacks/.keep", "")
    made.package(
        "connector",
        """
        [features]
        default = ["binancefutures"]
        binancefutures = []
        bybit = []
        """,
        """
        fn main() {
            if cfg!(feature = "binancefutures") { println!("binancefutures"); }
            if cfg!(feature = "bybit") { println!("bybit"); }
        }
        """,
    )
    return made
