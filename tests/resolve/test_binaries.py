from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from orchestrator import resolve
from orchestrator.build import CONNECTOR, Program
from orchestrator.deployment import codec
from orchestrator.errors import BuildError

if TYPE_CHECKING:
    from tests.resolve.conftest import Desk

STACK = """
source: {path: tree}
build: {profile: bench, default_features: false, locked: false, env: {CC: clang}, rustflags: [-Ctarget-cpu=native]}
connectors:
  bf: {type: binancefutures, config: {stream_url: "ws://127.0.0.1:1/"}}
  by: {type: bybit, features: [bybit, fast], config: {public_url: "ws://127.0.0.1:1/"}}
  demo: {type: sim}
services:
  exchange: {package: exchange, args: ["1"]}
bots:
  mm: {package: tools, bin: quoter}
  rec: {command: ["true"]}
"""

EXCHANGE = Program("exchange", "exchange")
QUOTER = Program("tools", "quoter")


def test_one_build_holds_the_union_of_features_and_every_program(desk: Desk) -> None:
    request = resolve.build_request(desk.load(STACK), home=desk.home)
    assert request is not None
    assert request.features == ("binancefutures", "bybit", "fast")
    assert request.programs == (CONNECTOR, EXCHANGE, QUOTER)
    assert request.source == desk.folder / "tree"
    assert request.start == desk.folder
    assert request.store == desk.home.binaries
    assert (request.profile, request.default_features, request.locked) == ("bench", False, False)
    assert (dict(request.env), request.rustflags) == ({"CC": "clang"}, ("-Ctarget-cpu=native",))


def test_a_stack_without_cargo_units_asks_for_no_build(desk: Desk) -> None:
    stack = desk.load("connectors: {demo: {type: sim}}\nbots: {mm: {command: ['true']}}")
    assert resolve.build_request(stack, home=desk.home) is None
    assert resolve.reuse(stack, home=desk.home) is None


def test_what_is_deployed_is_used_again_although_something_newer_is_stored(desk: Desk) -> None:
    built = desk.built(CONNECTOR, EXCHANGE, QUOTER)
    deployment = desk.resolve(STACK, built)
    desk.home.deployment.write_text(codec.encode(deployment))
    desk.write("target/connector", "#!/bin/sh\n# newer\n", 0o755)
    newer = desk.home.binaries / ("0" * 64) / "connector"
    newer.parent.mkdir()
    newer.write_text("newer")
    reused = resolve.reuse(desk.load(STACK), home=desk.home)
    assert reused is not None
    assert dict(reused.binaries) == dict(built.binaries)
    assert desk.resolve(STACK, reused) == deployment


def test_without_a_deployment_the_newest_stored_binary_is_used(desk: Desk) -> None:
    old = desk.built(CONNECTOR, EXCHANGE, QUOTER).binaries
    os.utime(old[CONNECTOR].path, (1, 1))
    desk.write("target/x", "")
    newest = desk.built(Program("connector", "connector")).binaries[Program("connector", "connector")]
    assert newest.path != old[CONNECTOR].path
    reused = resolve.reuse(desk.load(STACK), home=desk.home)
    assert reused is not None
    assert reused.binaries[CONNECTOR] == newest


def test_with_nothing_stored_the_build_cannot_be_skipped(desk: Desk) -> None:
    with pytest.raises(BuildError) as caught:
        resolve.reuse(desk.load(STACK), home=desk.home)
    assert caught.value.exit_code == 4
    assert "--no-build" in (caught.value.hint or "")


def test_a_stored_binary_whose_bytes_changed_is_not_run(desk: Desk) -> None:
    built = desk.built(CONNECTOR, EXCHANGE, QUOTER)
    path = built.binaries[EXCHANGE].path
    path.chmod(0o700)
    path.write_text("#!/bin/sh\nrm -rf /\n")
    with pytest.raises(BuildError, match="was changed after it was stored"):
        resolve.reuse(desk.load(STACK), home=desk.home)
