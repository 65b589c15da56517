"""The start of a unit whose log cannot be made."""

from __future__ import annotations

import os
import resource
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from orchestrator.deployment.homes import locate
from orchestrator.supervise.process import SpawnError
from orchestrator.supervise.starter import Starter
from tests.children import until
from tests.supervise.specs import service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SPEC = replace(service("a"), argv=("/bin/echo", "here"), env=(("PATH", "/bin"),))


@contextmanager
def _no_descriptor_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_without_a_descriptor_for_its_log_a_unit_is_not_started_and_its_next_start_has_one(tmp_path: Path) -> None:
    home = locate({"HFTSTACK_HOME": str(tmp_path / "h")}).stack("s")
    home.prepare()
    told: list[str] = []
    starter = Starter(home, home.marker, lambda _, what, __: told.append(what))
    for unit in ("a", "b"):  # whose logs are known, and are not
        spec = replace(_SPEC, name=unit)
        if unit == "a":
            started = starter.prepare(unit, spec)
            starter.begin(unit, started)
            started.abandon()
            os.waitpid(started.process.id.pid, 0)
            started.process.close()
        gated = starter.prepare(unit, spec)
        pid = gated.process.id.pid
        with _no_descriptor_left(), pytest.raises(SpawnError, match="cannot make its log: Too many open files"):
            starter.begin(unit, gated)
        os.waitpid(pid, 0)
    gated = starter.prepare("a", _SPEC)
    starter.begin("a", gated)
    gated.open()
    assert gated.process.log == str(home.logs / "a/00000002.log")
    until(lambda: (home.logs / "a/00000002.log").read_text(encoding="utf-8") == "here\n")
    os.waitpid(gated.process.id.pid, 0)
    gated.process.close()
    assert told == []
