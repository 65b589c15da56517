"""hftstack: a declarative orchestrator for HftBacktest live connectors.

What is exported here is the Python interface, loaded when it is first used: the supervisor and the command line import
this package too.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` would cost the guardian 1.8 MiB
if TYPE_CHECKING:
    from orchestrator.api import Stack
    from orchestrator.runner import (
        ConnectorBuildError,
        ConnectorConfig,
        ConnectorHaltedError,
        ConnectorNotFoundError,
        ConnectorRunner,
        ConnectorRunnerError,
        ConnectorStartupError,
    )

__all__ = [
    "ConnectorBuildError",
    "ConnectorConfig",
    "ConnectorHaltedError",
    "ConnectorNotFoundError",
    "ConnectorRunner",
    "ConnectorRunnerError",
    "ConnectorStartupError",
    "Stack",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "Stack":
        from orchestrator.api import Stack  # noqa: PLC0415 - see above

        return Stack
    from orchestrator import runner  # noqa: PLC0415 - see above

    return getattr(runner, name)
