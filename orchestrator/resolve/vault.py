"""The secrets of a stack: read once, when something that starts needs them, and told to nobody.

What goes wrong is told by the secret's name and place.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Final

from orchestrator.deployment import digestkey
from orchestrator.resolve import configs, sources
from orchestrator.resolve.environment import secret_variables
from orchestrator.resolve.error import ResolveError
from orchestrator.stack import pointer as json_pointer
from orchestrator.stack import templates
from orchestrator.stack.model import Connector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from orchestrator.deployment.homes import Home
    from orchestrator.deployment.model import File
    from orchestrator.resolve.scope import Left, Scope
    from orchestrator.stack.model import Bot, Service, Stack

PATIENCE: Final = 10.0
"""Seconds that a command may take."""


class Vault:
    """Reads the secrets that configs refer to, each once.

    Args:
        stack: declares them.
        environ: the caller's environment, for variables, commands and credentials.
        home: its key makes the digests of what holds a secret.
        scope: the units whose secrets are read; None for all.
        patience: seconds that a command may take.
    """

    def __init__(
        self,
        stack: Stack,
        environ: Mapping[str, str],
        home: Home,
        *,
        scope: Scope | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._stack = stack
        self._environ = environ
        self._home = home
        self._patience = patience
        self._scope = scope
        self._values: dict[str, str] = {}

    def _read(self, names: Iterable[str]) -> None:
        """Read secrets that are not known yet."""
        errors = []
        hidden = secret_variables(self._stack)
        visible = {key: value for key, value in self._environ.items() if key not in hidden}
        for name in sorted(set(names).difference(self._values)):
            source = self._stack.secrets[name]
            environ = self._environ if source.command is None else visible
            try:
                self._values[name] = sources.read(source, self._stack.file.parent, environ, patience=self._patience)
            except ResolveError as error:
                error.message = f"the secret {name}: {error.message}"
                error.where = self._stack.place(json_pointer.join(("secrets", name)))
                errors.append(error)
        if errors:
            raise ResolveError.of(errors)

    def rendered(self) -> tuple[dict[str, bytes], dict[str, File | None]]:
        """Return the TOML of each unit whose config refers to secrets, with their values in it.

        And, by the other units with such a config, those that are not in the scope, the file that it is deployed as,
        None where none is the same.

        Raises:
            ResolveError: a secret cannot be had; shows all of them.
            StackError: with the values in it a config breaks a rule of the stack file.
        """
        tables: dict[str, dict[str, object]] = {}
        left: dict[str, Left] = {}
        for name, unit, table in _tables(self._stack):
            if not templates.names(table):
                continue
            if self._scope is None or name in self._scope.names:
                tables[name] = table
            else:
                left[name] = self._scope.left(name, unit, table)
        self._read(secret for table in tables.values() for secret in templates.names(table))
        texts = {
            name: configs.rendered({key: templates.filled(value, self._values) for key, value in table.items()})
            for name, table in tables.items()
        }
        # The very text that the connector will parse: what it would choke on, and print, is found here. Beside what
        # the others are deployed with, for a key may be theirs too.
        if texts:
            known = {name: other.table for name, other in left.items()}
            self._stack.check_filled(known | {name: tomllib.loads(text.decode()) for name, text in texts.items()})
        return texts, {name: other.file for name, other in left.items()}

    def digest(self, content: bytes) -> str:
        """Return what tells content that may hold secrets from other content, and nothing of what it holds.

        Raises RefusedError when the home's key cannot be used.
        """
        return digestkey.digest(digestkey.own(self._home), content)


def needed(stack: Stack) -> tuple[str, ...]:
    """Return the secrets that something which is started refers to, sorted."""
    return tuple(sorted({name for _, _, table in _tables(stack) for name in templates.names(table)}))


def _tables(stack: Stack) -> Iterator[tuple[str, Connector | Service | Bot, dict[str, object]]]:
    for _, name, unit in stack.units():
        config = stack.config(name)
        if config is not None and not (isinstance(unit, Connector) and unit.external):
            yield name, unit, dict(config.table)
