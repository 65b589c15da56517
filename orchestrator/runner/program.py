"""The connector program: which one it is, and whether cargo has to bring it up to date first."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import HftstackError
from orchestrator.runner.config import SIM
from orchestrator.runner.errors import ConnectorBuildError, ConnectorNotFoundError

if TYPE_CHECKING:
    from orchestrator.runner.config import ConnectorConfig


class Program:
    """Finds, builds and names the program of one connector."""

    def __init__(self, config: ConnectorConfig) -> None:
        self._config = config
        self._built: Path | None = None
        self._root: Path | None = None

    @property
    def root(self) -> Path | None:
        """The hftbacktest checkout, None when there is none."""
        if self._root is None:
            self._root = self._config.project_root or _found(self._config.config_path.parent)
        return self._root

    @property
    def path(self) -> Path | None:
        """The program: what the config names, else what cargo built, else where cargo would put it; None without."""
        if self._config.connector_type == SIM:
            return Path(sys.executable)
        if self._config.binary_path is not None:
            return self._config.binary_path
        if self._built is not None or self.root is None:
            return self._built
        target = os.environ.get("CARGO_TARGET_DIR")
        return (self.root / target if target else self.root / "target") / "release" / "connector"

    def exists(self) -> bool:
        """Tell whether there is a program to start."""
        if self._config.connector_type == SIM:
            return importlib.util.find_spec("iceoryx2") is not None
        return self.path is not None and self.path.is_file() and os.access(self.path, os.X_OK)

    def require(self) -> None:
        """Raise ConnectorNotFoundError if there is no program to start."""
        if self.exists():
            return
        if self._config.connector_type == SIM:
            raise ConnectorNotFoundError("the simulator needs the package iceoryx2", hint="pip install 'hftstack[sim]'")
        if self.path is None:
            places = " or ".join(dict.fromkeys(map(str, (self._config.config_path.parent.absolute(), Path.cwd()))))
            raise ConnectorNotFoundError(
                f"no connector program: there is no hftbacktest checkout above {places}, "
                "and HFTBACKTEST_ROOT is not set",
                hint="give project_root, or binary_path of a connector that is built already",
            )
        raise ConnectorNotFoundError(
            "there is no connector program here" if not self.path.exists() else "this is not a program",
            where=str(self.path),
            hint="build it, leave auto_build on, or correct binary_path",
        )

    def is_ours_to_build(self) -> bool:
        """Tell whether cargo can bring the program up to date: it comes from a checkout that is there."""
        if self._config.connector_type == SIM or self.root is None:
            return False
        named = self._config.binary_path
        return named is None or named.resolve().is_relative_to(self.root.resolve())

    def build(self, *, force: bool) -> None:
        """Ask cargo for the program; with `force` it is compiled although nothing has changed.

        Raises ConnectorBuildError, with the compiler's errors in full as its detail.
        """
        if self._config.connector_type == SIM:
            return
        from orchestrator.build import CONNECTOR, BuildRequest, ensure  # noqa: PLC0415 - pydantic, for a build only

        request = BuildRequest(
            start=self._config.config_path.parent,
            store=None,
            source=self.root,
            features=self._config.features,
            again=force,
        )
        try:
            built = ensure(request, environ=os.environ).binaries[CONNECTOR].path
        except HftstackError as error:
            raise ConnectorBuildError(error.message, where=error.where, hint=error.hint, detail=error.detail) from None
        named = self._config.binary_path
        if named is not None and self.is_ours_to_build() and not _is_same(built, named):
            raise ConnectorBuildError(
                f"cargo builds {built}, binary_path names another file",
                where=str(named),
                hint="leave binary_path out, or set auto_build=False",
            )
        self._built = built

    def command(self) -> tuple[str, ...]:
        """Return the command line: NAME TYPE CONFIG, as upstream's connector takes it (connector/src/main.rs)."""
        config = self._config
        if config.connector_type == SIM:
            from orchestrator.resolve.programs import SIMULATOR  # noqa: PLC0415 - for the simulator only

            return (sys.executable, *SIMULATOR, "connector", config.connector_name, str(config.config_path))
        return (str(self.path), config.connector_name, config.connector_type, str(config.config_path))


def _found(start: Path) -> Path | None:
    from orchestrator.build import workspace  # noqa: PLC0415 - pydantic, for a build only

    for folder, environ in ((start, {}), (Path.cwd(), os.environ)):
        try:
            manifest = workspace.find(folder, source=None, environ=environ)
        except HftstackError:
            continue
        return manifest.parent.parent if manifest.parent.name == "connector" else manifest.parent
    return None


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
