"""What each unit runs: a stored binary, the simulator, or a command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.deployment.model import File
from orchestrator.errors import BuildError
from orchestrator.resolve.binaries import program_of
from orchestrator.resolve.error import ResolveError
from orchestrator.stack.model import SIM, Connector, Service

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.build import BuildResult, Program
    from orchestrator.resolve.commands import Commands
    from orchestrator.stack.model import Bot

SIMULATOR: Final = ("-P", "-m", "orchestrator.sim")
"""Arguments of Python; -P keeps a unit's cwd, which may hold anything, off the module path."""


class Programs:
    """Finds the programs of a stack's units; `binaries` are those that cargo built."""

    def __init__(self, commands: Commands, binaries: BuildResult | None) -> None:
        self._commands = commands
        self._binaries = binaries

    def command(
        self, name: str, unit: Connector | Service | Bot, *, config: File | None, connectors: Sequence[str]
    ) -> tuple[tuple[str, ...], File]:
        """Return a unit's argv and its executable. Raises ResolveError, BuildError.

        `connectors` are those that a simulated bot attaches to.
        """
        files = () if config is None else (config.path,)
        program = program_of(unit)
        if isinstance(unit, Connector):
            if program is None:
                return self._simulator("connector", name, *files)
            return self._built(program, name, unit.type, *files)
        if program is not None:
            return self._built(program, *unit.args)
        if unit.command is not None:
            return self._commands.resolve(unit.command, unit.cwd)
        if isinstance(unit, Service) or unit.type != SIM:
            raise ResolveError("it has nothing to run", hint="give it a `command` or a `package`")
        if not connectors:
            raise ResolveError("a simulated bot needs a connector", hint="name one in `depends_on`")
        return self._simulator("bot", ",".join(connectors), *files)

    def code(self, unit: Connector | Service | Bot) -> tuple[File, ...]:
        """Return the files of code that the arguments of a unit's command name."""
        if isinstance(unit, Connector):
            return ()
        return self._commands.code(unit.args if unit.command is None else unit.command[1:], unit.cwd)

    def _built(self, program: Program, *arguments: str) -> tuple[tuple[str, ...], File]:
        binary = self._binaries.binaries.get(program) if self._binaries is not None else None
        if binary is None:
            raise BuildError(f"{program} was not built")
        return (str(binary.path), *arguments), File(str(binary.path), binary.sha256)

    def _simulator(self, *arguments: str) -> tuple[tuple[str, ...], File]:
        if not sys.executable:
            raise ResolveError("Python does not know its own path", hint="start hftstack by its full path")
        if not self._commands.has_module("iceoryx2"):
            raise ResolveError("the simulator needs the package iceoryx2", hint="pip install 'hftstack[sim]'")
        python = Path(sys.executable)
        return (str(python), *SIMULATOR, *arguments), self._commands.file(python)
