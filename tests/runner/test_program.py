from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator import ConnectorBuildError, ConnectorConfig, ConnectorNotFoundError, ConnectorRunner
from tests.runner.conftest import FUTURES

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from tests.build.conftest import Workspace
    from tests.runner.conftest import Bench

_BROKEN = 'fn main() { let x: u8 = "text"; }'
_SAYS = 'fn main() {{ println!("{}"); }}'


def _in(workspace: Workspace, **more: Any) -> ConnectorRunner:  # noqa: ANN401 - of ConnectorConfig
    """Return a runner with its config file inside the workspace."""
    return ConnectorRunner(ConnectorConfig("bf", "binancefutures", workspace.write("stacks/bf.toml", FUTURES), **more))


@pytest.fixture(autouse=True)
def no_checkout(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Know of no checkout by the environment, and go to no network."""
    monkeypatch.delenv("HFTBACKTEST_ROOT", raising=False)
    monkeypatch.delenv("CARGO_TARGET_DIR", raising=False)
    monkeypatch.setenv("CARGO_NET_OFFLINE", workspace.environ["CARGO_NET_OFFLINE"])


def test_a_missing_program_is_built_in_the_checkout_above_the_config_file(workspace: Workspace) -> None:
    runner = _in(workspace)
    assert runner.project_root == workspace.root
    assert runner.binary_path == workspace.root / "target/release/connector"
    assert not runner.binary_exists()
    runner.build_if_missing()

    assert runner.binary_exists()
    assert runner.binary_path == workspace.root / "target/release/connector"


def test_a_program_that_is_there_and_old_is_brought_up_to_date(workspace: Workspace) -> None:
    runner = _in(workspace)
    runner.build()
    assert runner.binary_path is not None
    before = runner.binary_path.read_bytes()
    workspace.write("connector/src/main.rs", _SAYS.format("new"))
    runner.build_if_missing()

    assert runner.binary_path.read_bytes() != before


def test_force_compiles_what_cargo_finds_fresh(workspace: Workspace) -> None:
    runner = _in(workspace)
    runner.build()
    assert runner.binary_path is not None
    first = runner.binary_path.stat()
    runner.build()
    assert runner.binary_path.stat() == first
    runner.build(force=True)

    assert runner.binary_path.stat() != first


def test_what_does_not_compile_is_told_in_the_compilers_words(workspace: Workspace) -> None:
    workspace.write("connector/src/main.rs", _BROKEN)
    with pytest.raises(ConnectorBuildError) as caught:
        _in(workspace).build_if_missing()

    assert "mismatched types" in str(caught.value)


def test_a_feature_that_the_connector_lacks_is_an_error_that_lists_those_it_has(workspace: Workspace) -> None:
    with pytest.raises(ConnectorBuildError) as caught:
        _in(workspace, build_features=["kraken"]).build()

    assert "no feature 'kraken'" in str(caught.value)
    assert "binancefutures, bybit" in str(caught.value)


def test_the_checkout_may_be_named_or_stand_in_the_environment(
    workspace: Workspace, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bench.runner("binancefutures", FUTURES).project_root is None
    assert bench.runner("binancefutures", FUTURES, project_root=workspace.root).project_root == workspace.root
    monkeypatch.setenv("HFTBACKTEST_ROOT", str(workspace.root))
    runner = bench.runner("binancefutures", FUTURES)

    assert runner.project_root == workspace.root
    runner.build_if_missing()
    assert runner.binary_exists()


def test_cargo_may_build_elsewhere(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARGO_TARGET_DIR", str(tmp_path / "elsewhere"))
    runner = _in(workspace)
    assert runner.binary_path == tmp_path / "elsewhere/release/connector"
    runner.build_if_missing()

    assert runner.binary_exists()


def test_a_program_of_the_checkout_that_is_named_is_built_too(workspace: Workspace) -> None:
    runner = _in(workspace, binary_path=workspace.root / "target/release/connector")
    runner.build_if_missing()

    assert runner.binary_exists()


def test_a_program_that_cargo_would_never_write_to_is_not_taken_for_built(workspace: Workspace) -> None:
    named = workspace.write("target/debug/connector", "#!/bin/sh")
    named.chmod(0o755)
    with pytest.raises(ConnectorBuildError, match="binary_path names another file"):
        _in(workspace, binary_path=named).build_if_missing()

    _in(workspace, binary_path=named, auto_build=False).build_if_missing()


def test_a_program_from_elsewhere_is_only_looked_for(workspace: Workspace, tmp_path: Path) -> None:
    workspace.write("connector/src/main.rs", _BROKEN)
    program = tmp_path / "connector"
    runner = _in(workspace, binary_path=program)
    with pytest.raises(ConnectorNotFoundError) as caught:
        runner.build_if_missing()
    assert caught.value.where == str(program)
    program.write_text("#!/bin/sh\n")
    with pytest.raises(ConnectorNotFoundError, match="not a program"):
        runner.build_if_missing()
    program.chmod(0o755)
    runner.build_if_missing()


def test_without_auto_build_nothing_is_built(workspace: Workspace) -> None:
    runner = _in(workspace, auto_build=False)
    with pytest.raises(ConnectorNotFoundError):
        runner.build_if_missing()
    with pytest.raises(ConnectorNotFoundError):
        runner.start()

    assert not (workspace.root / "target").exists()


def test_without_a_checkout_it_is_said_where_one_was_looked_for(bench: Bench) -> None:
    runner = bench.runner("binancefutures", FUTURES)
    assert runner.binary_path is None
    assert not runner.binary_exists()
    with pytest.raises(ConnectorNotFoundError) as caught:
        runner.build_if_missing()

    assert str(bench.folder) in str(caught.value)
    assert "HFTBACKTEST_ROOT" in str(caught.value)


def test_the_simulator_needs_no_cargo(bench: Bench) -> None:
    runner = bench.sim()
    runner.build()
    runner.build_if_missing()

    assert runner.binary_exists()
