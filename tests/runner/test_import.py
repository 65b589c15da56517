from __future__ import annotations

import json
import subprocess
import sys

import pytest

import orchestrator
from orchestrator.errors import HftstackError

_HEAVY = {"yaml", "networkx", "rich", "click", "pydantic", "pydantic_core", "psutil", "tomli_w", "asyncio", "sqlite3"}
_LOADED = "import json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"


@pytest.mark.parametrize("name", orchestrator.__all__)
def test_what_is_exported_is_there_and_loads_no_big_library(name: str) -> None:
    code = f"from orchestrator import {name}; {_LOADED}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)

    assert not _HEAVY.intersection(json.loads(done.stdout))


def test_what_is_not_exported_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="ConnectorRuner"):
        _ = orchestrator.ConnectorRuner


def test_every_exception_is_one_of_ours_and_the_four_are_one_family() -> None:
    family = orchestrator.ConnectorRunnerError
    assert issubclass(family, HftstackError)
    for error in (
        orchestrator.ConnectorBuildError,
        orchestrator.ConnectorStartupError,
        orchestrator.ConnectorNotFoundError,
    ):
        assert issubclass(error, family)
