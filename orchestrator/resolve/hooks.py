"""The operator's own programs that are told of events: found now, so that none is missing when it is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.deployment import model as deployment
from orchestrator.resolve.environment import unit_environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from orchestrator.resolve.commands import Commands
    from orchestrator.stack.parts import Hooks, Notify


@dataclass(frozen=True, slots=True)
class HookPrograms:
    """Finds hooks, which run in `folder`, the stack file's; `caller` is the environment of who runs hftstack."""

    commands: Commands
    folder: Path
    caller: Mapping[str, str]

    def notify(self, said: Notify | None, env: Mapping[str, str]) -> deployment.Notify | None:
        """Return whom to notify, with the stack's `env`. Raises ResolveError."""
        if said is None:
            return None
        return deployment.Notify(self._hook(said.command, env, said.timeout), said.on)

    def hooks(self, said: Hooks, env: Mapping[str, str]) -> deployment.Hooks:
        """Return the hooks of a unit, with its `env`. Raises ResolveError."""
        on_failed, on_halt = (
            None if command is None else self._hook(command, env, said.timeout)
            for command in (said.on_failed, said.on_halt)
        )
        return deployment.Hooks(on_failed, on_halt)

    def _hook(self, command: Sequence[str], env: Mapping[str, str], timeout: float) -> deployment.Hook:
        argv, _ = self.commands.resolve(command, self.folder)
        return deployment.Hook(argv, str(self.folder), unit_environment(self.caller, env), timeout)
