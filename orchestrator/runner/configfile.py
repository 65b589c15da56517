"""A connector's TOML file, judged before the connector reads it: upstream prints the whole file when it cannot."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from orchestrator.errors import Diagnostic, StackError
from orchestrator.observe.hiding import Secrets, confidential
from orchestrator.runner.config import SIM
from orchestrator.runner.errors import ConnectorRunnerError

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.runner.config import ConnectorConfig
    from orchestrator.stack.draft import Configured
    from orchestrator.stack.model import Config
    from orchestrator.venue.networks import Boundary

_log: Final = logging.getLogger("orchestrator.runner")


def check(config: ConnectorConfig) -> Secrets:
    """Return the keys in the file of a connector that can read it; what is doubtful in it is logged.

    Raises ConnectorRunnerError with every mistake and its `file:line:column`, never with any of the content.
    """
    from orchestrator.stack import textfile  # noqa: PLC0415 - pydantic, which an import alone need not pay
    from orchestrator.stack.config import read  # noqa: PLC0415 - likewise

    path = config.config_path
    try:
        found = read(path)
    except textfile.UnreadableError as error:
        line, column = error.place
        raise ConnectorRunnerError(error.message, where=f"{path}:{line}:{column}", hint=error.hint) from None
    _refuse_references(path, found)
    if config.connector_type != SIM:
        _judge(config, found)
    return Secrets.of(() if config.connector_type == SIM else confidential(found.table))


def _refuse_references(path: Path, found: Config) -> None:
    """Raise ConnectorRunnerError for a reference to a secret, which the connector would take for the key itself."""
    from orchestrator.stack import pointer, templates, toml_places  # noqa: PLC0415 - see above
    from orchestrator.stack.textfile import decode  # noqa: PLC0415

    for parts, _ in templates.texts(dict(found.table)):
        places = toml_places.scan(decode(found.content or b""))
        line, column = places.near(pointer.join(parts), on_key=False)
        raise ConnectorRunnerError(
            "${secret:..} is a reference to a stack file's secret, and there is none here",
            where=f"{path}:{line}:{column}",
            hint="write the key itself into a file of mode 0600, or run the connector from a stack",
        )


def _judge(config: ConnectorConfig, found: Config) -> None:
    from orchestrator.stack.draft import Configured, TomlFile  # noqa: PLC0415 - see above
    from orchestrator.stack.textfile import decode  # noqa: PLC0415
    from orchestrator.venue import check, keys  # noqa: PLC0415

    name, kind, path = config.connector_name, config.connector_type, config.config_path
    configured = Configured("", found.table, TomlFile(str(path), decode(found.content or b"")))
    boundary = _boundary(config, configured)
    if boundary.implied and boundary.network == "mainnet" and keys.is_keyed(found.table):
        _log.warning('%s: its keys act on the mainnet; network="mainnet" says that this is meant', name)
    mistakes = []
    for fault in check.connector(name, kind, configured, boundary, set()):
        diagnostic = fault.located()
        if isinstance(diagnostic, Diagnostic) and diagnostic.severity == "error":
            mistakes.append(diagnostic)
        else:
            _log.warning("%s", diagnostic)
    if mistakes:
        error = StackError(mistakes)
        raise ConnectorRunnerError(
            f"{error.message} in the config", where=str(path), detail="\n".join(map(str, error.diagnostics))
        )


def _boundary(config: ConnectorConfig, configured: Configured) -> Boundary:
    """Return where the connector may go: what the program says, else what its URLs say of each other."""
    from orchestrator.venue import networks, url  # noqa: PLC0415 - see above

    allowed = {url.bare_host(host): index for index, host in enumerate(config.allow_hosts)}
    if config.network is not None:
        return networks.Boundary(config.network, allowed, "network=")
    seen = networks.sights(config.connector_name, config.connector_type, configured)
    return networks.implied((sight for sight in seen if isinstance(sight, networks.Sight)), allowed)
