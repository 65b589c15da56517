"""What can go wrong with a connector that Python runs."""

from __future__ import annotations

from orchestrator.errors import BuildError, HftstackError, NotReachedError, RefusedError


class ConnectorRunnerError(HftstackError):
    """Raised when a connector is not configured, started or stopped as it was asked to be; the base of the others."""


class ConnectorBuildError(ConnectorRunnerError):
    """Raised when cargo cannot build the connector; `detail` holds the compiler's errors in full."""

    exit_code = BuildError.exit_code


class ConnectorStartupError(ConnectorRunnerError):
    """Raised when a connector does not get as far as an open channel; `detail` holds what it wrote last."""

    exit_code = NotReachedError.exit_code


class ConnectorHaltedError(ConnectorStartupError):
    """Raised when a connector may not be started, for this user halted everything."""

    exit_code = RefusedError.exit_code


class ConnectorNotFoundError(ConnectorRunnerError):
    """Raised when there is no connector program to start."""

    exit_code = BuildError.exit_code
