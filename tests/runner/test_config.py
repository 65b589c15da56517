from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator import ConnectorConfig, ConnectorRunnerError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "c.toml"
    path.touch()
    return path


def test_only_name_type_and_file_are_required(file: Path) -> None:
    config = ConnectorConfig("bf", "bybit", file)

    assert (config.project_root, config.binary_path, config.build_features) == (None, None, None)
    assert config.features == ("bybit",)
    assert (config.startup_timeout, config.shutdown_timeout) == (10.0, 5.0)
    assert (config.env, config.auto_build, config.capture_output) == ({}, True, True)
    assert (config.network, config.allow_hosts) == (None, ())


def test_named_features_take_the_place_of_the_type(file: Path) -> None:
    assert ConnectorConfig("bf", "bybit", file, build_features=["bybit", "extra"]).features == ("bybit", "extra")


def test_relative_paths_count_from_the_working_directory(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    config = ConnectorConfig("bf", "bybit", Path("c.toml"), project_root=Path("tree"), binary_path=Path("bin"))

    assert config.config_path == file
    assert (config.project_root, config.binary_path) == (file.parent / "tree", file.parent / "bin")


def test_an_unknown_type_is_an_error_that_names_the_known_ones(file: Path) -> None:
    with pytest.raises(ConnectorRunnerError) as caught:
        ConnectorConfig("bf", "binance", file)

    assert "'binance' is unknown" in str(caught.value)
    assert "binancefutures, binancespot, bybit, sim" in str(caught.value)


@pytest.mark.parametrize("name", ["nothing.toml", "."])
def test_a_config_file_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConnectorRunnerError, match="there is no such file") as caught:
        ConnectorConfig("bf", "bybit", tmp_path / name)

    assert caught.value.where == str(tmp_path / name)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("connector_name", ""),
        ("connector_name", "-f"),
        ("connector_name", "../x"),
        ("connector_name", "a" * 65),
        ("connector_name", None),
        ("config_path", None),
        ("project_root", 7),
        ("binary_path", "a\0b"),
        ("build_features", "bybit"),
        ("startup_timeout", 0),
        ("startup_timeout", -1.0),
        ("startup_timeout", float("nan")),
        ("startup_timeout", "10"),
        ("shutdown_timeout", -0.1),
        ("shutdown_timeout", float("inf")),
        ("network", "main"),
        ("network", 1),
        ("allow_hosts", "proxy.example"),
        ("allow_hosts", ["https://proxy.example"]),
        ("allow_hosts", [1]),
        ("env", {"A": 1}),
        ("env", {1: "A"}),
        ("env", {"A=B": "x"}),
        ("env", {"": "x"}),
        ("env", {"A": "\0"}),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_its_name(file: Path, where: str, value: object) -> None:
    values: dict[str, Any] = {"connector_name": "bf", "connector_type": "bybit", "config_path": file, where: value}
    with pytest.raises(ConnectorRunnerError) as caught:
        ConnectorConfig(**values)

    assert caught.value.where == where


def test_an_environment_may_hold_keys_and_is_not_shown(file: Path) -> None:
    assert "hush" not in repr(ConnectorConfig("bf", "bybit", file, env={"BYBIT_KEY": "hush"}))
