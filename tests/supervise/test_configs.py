from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from orchestrator.deployment.model import File, UnitSpec
from orchestrator.supervise.configs import ConfigFolder, missing
from orchestrator.supervise.graph import Graph
from orchestrator.supervise.unit import State, Unit
from tests.supervise.specs import service

if TYPE_CHECKING:
    from pathlib import Path


def _unit(folder: Path, config: str) -> UnitSpec:
    path = folder / config
    path.write_text(config)
    return replace(service("a"), files=(File(str(path), "00"),))


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "configs"
    made.mkdir()
    return made


def test_what_is_deployed_and_what_still_runs_is_kept_and_nothing_else(folder: Path) -> None:
    before, now = _unit(folder, "before"), _unit(folder, "now")
    for name in ("stray", ".incoming-x"):
        (folder / name).write_text("key")
    graph = Graph({"a": now}, {"a": Unit(State.STOPPING, alive=True, running=before)}, 1)
    ConfigFolder(folder).prune(graph)
    assert _names(folder) == ["before", "now"]

    ConfigFolder(folder).prune(replace(graph, units={"a": Unit()}))
    assert _names(folder) == ["now"]


def test_a_process_that_has_ended_takes_its_config_with_it_unless_the_next_one_has_the_same(folder: Path) -> None:
    before, now = _unit(folder, "before"), _unit(folder, "now")
    (folder / "of-an-up-under-way").write_text("key")
    graph = Graph({"a": now}, {"a": Unit()}, 1)
    ConfigFolder(folder).release(now, graph)
    ConfigFolder(folder).release(before, graph)

    assert _names(folder) == ["now", "of-an-up-under-way"]


def test_a_file_elsewhere_is_nobody_s_to_remove(folder: Path) -> None:
    other = _unit(folder.parent, "own.toml")
    ConfigFolder(folder).release(other, Graph())

    assert (folder.parent / "own.toml").exists()


def test_a_folder_that_is_gone_is_no_trouble(folder: Path) -> None:
    spec = _unit(folder, "now")
    assert missing([spec]) == ()
    (folder / "now").unlink()
    folder.rmdir()
    ConfigFolder(folder).prune(Graph())
    ConfigFolder(folder).release(spec, Graph())

    assert missing([spec]) == (str(folder / "now"),)
