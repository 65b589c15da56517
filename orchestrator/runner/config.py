"""What a runner is told: which connector, with which file, from where, and for how long to wait."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.runner.errors import ConnectorRunnerError

if TYPE_CHECKING:
    from collections.abc import Mapping

SIM: Final = "sim"
"""The embedded simulator, a connector without an exchange and without cargo."""

TYPES: Final = ("binancefutures", "binancespot", "bybit", SIM)
"""Upstream's connectors at 5f3ec40 (connector/src/main.rs), and the simulator."""


@dataclass(frozen=True)
class ConnectorConfig:
    """One connector. Checked when it is made; paths become absolute, relative ones count from the working directory.

    Args:
        connector_name: the channel's name, which bots use; unique on this machine.
        connector_type: binancefutures, binancespot, bybit, or sim for the embedded simulator.
        config_path: the connector's TOML file.
        project_root: the hftbacktest checkout; None looks for it, see `ConnectorRunner.project_root`.
        binary_path: the connector program; None is the one that cargo builds in the checkout.
        build_features: cargo features of the connector; None is its type alone.
        startup_timeout: seconds in which the channel must be open.
        shutdown_timeout: seconds that the connector has to end before it is killed.
        env: variables over those of this process.
        auto_build: whether cargo is asked to bring the program up to date before a start.
        capture_output: whether its output is kept for `get_output`; otherwise it goes where this process's goes.
        network: mainnet, testnet, demo or local, to which every URL of the file must belong; None asks only that they
            do not disagree with each other.
        allow_hosts: hosts of proxies and fakes, which are no exchange's.

    Raises:
        ConnectorRunnerError: the type is unknown, there is no such file, a value makes no sense.
    """

    connector_name: str
    connector_type: str
    config_path: Path
    project_root: Path | None = None
    binary_path: Path | None = None
    build_features: Sequence[str] | None = None
    startup_timeout: float = 10.0
    shutdown_timeout: float = 5.0
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    auto_build: bool = True
    capture_output: bool = True
    network: str | None = None
    allow_hosts: Sequence[str] = ()

    def __post_init__(self) -> None:
        _check_name(self.connector_name)
        if self.connector_type not in TYPES:
            raise _wrong("connector_type", f"{self.connector_type!r} is unknown", f"use {', '.join(TYPES)}")
        for key in ("config_path", "project_root", "binary_path"):
            value = getattr(self, key)
            if value is not None or key == "config_path":
                object.__setattr__(self, key, _absolute(key, value))
        if not self.config_path.is_file():
            raise ConnectorRunnerError("there is no such file", where=str(self.config_path), hint="check config_path")
        if isinstance(self.build_features, str):
            raise _wrong("build_features", "is a text, not a list", f"write [{self.build_features!r}]")
        _check_seconds("startup_timeout", self.startup_timeout, positive=True)
        _check_seconds("shutdown_timeout", self.shutdown_timeout, positive=False)
        _check_environment(dict(self.env))
        if self.network is not None or self.allow_hosts:
            _check_network(self.network, self.allow_hosts)

    @property
    def features(self) -> tuple[str, ...]:
        """The cargo features of the connector."""
        return (self.connector_type,) if self.build_features is None else tuple(self.build_features)


def _check_name(name: object) -> None:
    from orchestrator.stack.scalars import is_name  # noqa: PLC0415 - pydantic, which an import alone need not pay

    if not isinstance(name, str) or not is_name(name):
        raise _wrong(
            "connector_name",
            f"{name!r} cannot name a channel",
            "at most 64 letters, digits, '_', '.' and '-', with a letter or digit first",
        )


def _absolute(key: str, value: object) -> Path:
    if not isinstance(value, str | Path) or "\0" in str(value):
        raise _wrong(key, f"{value!r} is not a path", "give a pathlib.Path")
    return Path(value).expanduser().absolute()


def _check_seconds(key: str, value: object, *, positive: bool) -> None:
    fine = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
    if not fine or (positive and not value):
        raise _wrong(key, f"{value!r} is not a time", f"give seconds, {'more than 0' if positive else '0 or more'}")


def _check_environment(env: dict[Any, Any]) -> None:
    for key, value in env.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise _wrong("env", f"{key!r} is not text", "give names and values as str")
        if not key or "=" in key or "\0" in key + value:
            raise _wrong("env", f"{key!r} cannot be handed to a process", "check its name, and its value for NUL bytes")


def _check_network(network: object, allow_hosts: object) -> None:
    from orchestrator.venue import networks, url  # noqa: PLC0415 - what an import alone need not pay

    if network is not None and network not in networks.NETWORKS:
        raise _wrong("network", f"{network!r} is unknown", f"use {', '.join(networks.NETWORKS)}")
    if isinstance(allow_hosts, str) or not isinstance(allow_hosts, Sequence):
        raise _wrong("allow_hosts", "is not a list", f"write [{allow_hosts!r}]")
    for host in allow_hosts:
        if not isinstance(host, str):
            raise _wrong("allow_hosts", f"{host!r} is not text", "give hosts as str")
        try:
            url.bare_host(host)
        except url.UrlError as error:
            raise _wrong("allow_hosts", f"{host!r} {error.message}", f"name a host: {error.hint}") from None


def _wrong(key: str, message: str, hint: str) -> ConnectorRunnerError:
    return ConnectorRunnerError(message, where=key, hint=hint)
