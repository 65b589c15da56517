"""Each bench runs to its end and prints what it measured; the figures themselves are not judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_REPOSITORY = Path(__file__).resolve().parent.parent.parent


def bench(name: str, *options: str) -> dict[str, Any]:
    command = [sys.executable, "-m", f"bench.{name}", "--n", "1", "--format", "json", *options]
    done = subprocess.run(command, cwd=_REPOSITORY, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def names(result: dict[str, Any]) -> list[str]:
    return [sample["name"] for sample in result["samples"]]


def test_restart_sees_the_killed_program_again() -> None:
    result = bench("restart", "--no-peers")
    assert names(result) == ["hftstack"]
    assert result["samples"][0]["n"] == 1
    assert 0 < result["samples"][0]["median"] < 30


def test_status_is_compared_with_importing_click() -> None:
    result = bench("status", "--no-peers")
    status, click = result["samples"][:2]
    assert (status["n"], click["n"]) == (1, 1)
    assert click["ratio"] == pytest.approx(status["median"] / click["median"])


def test_validate_reads_a_large_stack_beside_a_small_one() -> None:
    result = bench("validate", "--no-peers", "--connectors", "50")
    assert names(result)[:2] == ["hftstack validate, 50 connectors", "hftstack validate, 5 connectors"]
    assert all(sample["n"] == 1 for sample in result["samples"])


def test_plan_and_diff_are_measured_beside_validate() -> None:
    for name in ("plan", "diff"):
        found = names(bench(name, "--connectors", "10"))
        assert found[:2] == [f"hftstack {name}, 10 connectors", "hftstack validate, 10 connectors"]


def test_memory_tells_supervisor_and_guardian_beside_a_bare_interpreter() -> None:
    result = bench("memory", "--no-peers", "--units", "2")
    assert result["unit"] == "bytes"
    supervisor, guardian, bare = result["samples"]
    assert [row["name"] for row in (supervisor, guardian, bare)] == ["supervisor", "guardian", "python -S"]
    assert supervisor["median"] > guardian["median"] > 2**20
    assert bare["n"] == 1


def test_idle_counts_ticks() -> None:
    result = bench("idle", "--no-peers", "--bots", "2", "--seconds", "0.1")
    assert result["unit"] == "ticks"
    assert names(result) == ["supervisor", "guardian"]


def test_takeover_times_the_next_supervisor_and_counts_duplicates() -> None:
    answered, ran = bench("takeover", "--no-peers")["samples"]
    assert (answered["n"], ran["n"], answered["remark"]) == (1, 1, "0 duplicates")
    assert 0 < answered["median"] < 30


def test_fifty_times_all_programs_after_a_boot() -> None:
    result = bench("fifty", "--no-peers", "--units", "3")
    assert names(result) == ["hftstack"]
    assert 0 < result["samples"][0]["median"] < 60


@pytest.mark.usefixtures("paper_binaries")
def test_first_tick_counts_crashes_healed_beside_the_bare_script() -> None:
    result = bench("first_tick")
    assert names(result) == ["hftstack", "bare script"]
    assert result["samples"][0]["remark"] == "1 of 1 healed"


@pytest.mark.usefixtures("paper_binaries")
def test_cold_start_counts_bots_with_data() -> None:
    result = bench("cold_start", "--no-peers")
    assert result["samples"][0]["remark"].endswith("of 1 have data")


@pytest.mark.usefixtures("paper_binaries")
def test_stop_has_a_row_a_way_and_says_what_it_cannot_measure() -> None:
    result = bench("stop")
    measured = " ".join([*names(result), *result["notes"]])
    assert all(way in measured for way in ("root", "own namespace", "no namespaces", "hftstack down"))
    assert any(sample["n"] == 1 for sample in result["samples"])


def test_imports_are_compared_with_importing_pydantic() -> None:
    result = bench("imports")
    runner, _, pydantic = result["samples"][:3]
    assert runner["name"] == "ConnectorRunner"
    assert pydantic["ratio"] == pytest.approx(runner["median"] / pydantic["median"])


@pytest.mark.usefixtures("paper_binaries")
def test_nothing_to_do_is_told_as_what_goes_beyond_cargo() -> None:
    up, build, beyond = bench("nothing_to_do")["samples"]
    assert beyond["seconds"] == [pytest.approx(up["seconds"][0] - build["seconds"][0])]
