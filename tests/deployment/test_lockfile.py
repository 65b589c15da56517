from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.deployment import lockfile
from orchestrator.deployment.lockfile import Lock, differences
from orchestrator.errors import RefusedError

if TYPE_CHECKING:
    from pathlib import Path

LOCK = Lock(
    stack="prod",
    network="testnet",
    source="https://example.org/up",
    revision="5f3ec40b5ae0f5ab8eb4e8fd6e1b3b1d4c2a9e77",
    cargo_lock="a" * 64,
    toolchain="rustc 1.90.0 (1159e78c4 2025-09-14) x86_64-unknown-linux-gnu",
    cargo="cargo 1.90.0",
    iceoryx2="0.6.1",
    profile="release",
    features=("binancefutures", "bybit"),
    binaries={"connector": "b" * 64},
    configs={"bf": "c" * 64, "by": "d" * 64},
    programs={"mm": "e" * 64},
    code={"mm bots/mm.py": "f" * 64},
)
CHANGES: dict[str, tuple[Any, str]] = {
    "stack": ("stage", "stack: locked prod, found stage"),
    "network": ("mainnet", "network: locked testnet, found mainnet"),
    "source": (None, "source: locked https://example.org/up, found nothing"),
    "revision": ("6" * 40, "revision: locked 5f3ec40b5ae0, found 666666666666"),
    "cargo_lock": ("e" * 64, "Cargo.lock: locked aaaaaaaaaaaa, found eeeeeeeeeeee"),
    "toolchain": ("rustc 1", f"toolchain: locked {LOCK.toolchain}, found rustc 1"),
    "cargo": ("cargo 1", "cargo: locked cargo 1.90.0, found cargo 1"),
    "iceoryx2": ("0.7.0", "iceoryx2: locked 0.6.1, found 0.7.0"),
    "profile": ("dev", "profile: locked release, found dev"),
    "features": (("bybit",), "features: locked binancefutures,bybit, found bybit"),
    "default_features": (False, "default features: locked on, found off"),
    "rustflags": (("-Cx",), "RUSTFLAGS: locked nothing, found -Cx"),
    "binaries": ({}, "binary of connector: locked bbbbbbbbbbbb, found nothing"),
    "configs": ({"bf": "c" * 64, "by": "f" * 64}, "config of by: locked dddddddddddd, found ffffffffffff"),
    "programs": ({}, "program of mm: locked eeeeeeeeeeee, found nothing"),
    "code": ({}, "code of mm bots/mm.py: locked ffffffffffff, found nothing"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_difference_is_named_with_both_sides(name: str) -> None:
    value, told = CHANGES[name]

    assert [str(change) for change in differences(LOCK, dataclasses.replace(LOCK, **{name: value}))] == [told]
    assert differences(LOCK, LOCK) == ()


def test_every_field_of_a_lock_is_compared() -> None:
    assert CHANGES.keys() == {field.name for field in dataclasses.fields(Lock)} - {"format"}


def test_what_is_not_known_is_no_difference() -> None:
    found = Lock("prod", "testnet", profile="release", features=LOCK.features, configs=LOCK.configs)

    assert differences(LOCK, found, source=False, binaries=False) == ()
    assert {change.what for change in differences(LOCK, found, source=False)} == {
        "binary of connector",
        "program of mm",
        "code of mm bots/mm.py",
    }


def test_a_lock_is_read_as_it_was_written_in_lines_that_a_reviewer_can_compare(tmp_path: Path) -> None:
    path = lockfile.path_of(tmp_path / "prod.yaml")
    lockfile.write(path, LOCK)
    before = path.read_text()
    lockfile.write(path, LOCK)

    assert path.name == "prod.lock"
    assert lockfile.read(path) == LOCK
    assert path.read_text() == before
    assert '\n    "connector": "bbbb' in before
    assert path.stat().st_mode & 0o777 == 0o644
    assert [found.name for found in tmp_path.iterdir()] == ["prod.lock"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"format": 4, "new": 1}', "of a newer hftstack (format 4, this one knows 3)"),
        ("{", "not a JSON object"),
        ("[" * 10_000, "not a JSON object"),
        ('{"format": 1, "stack": "prod"}', "/network: missing"),
        ('{"format": 1, "stack": "prod", "network": "local", "x": 1}', "/x: unknown key"),
    ],
)
def test_what_is_no_lock_of_this_version_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "prod.lock"
    path.write_text(text)
    with pytest.raises(RefusedError) as caught:
        lockfile.read(path)

    assert says in str(caught.value)
    assert caught.value.where == str(path)
    assert caught.value.hint


def test_a_lock_that_is_not_there_or_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="there is no lock"):
        lockfile.read(tmp_path / "prod.lock")
    with pytest.raises(RefusedError, match="cannot write the lock"):
        lockfile.write(tmp_path / "none" / "prod.lock", LOCK)
    (tmp_path / "prod.lock").mkdir()
    with pytest.raises(RefusedError, match="cannot write the lock"):
        lockfile.write(tmp_path / "prod.lock", LOCK)
    assert [found.name for found in tmp_path.iterdir()] == ["prod.lock"]


def test_an_edited_lock_is_a_difference(tmp_path: Path) -> None:
    path = tmp_path / "prod.lock"
    lockfile.write(path, LOCK)
    data = json.loads(path.read_text())
    data["binaries"]["connector"] = "0" * 64
    path.write_text(json.dumps(data))

    assert [change.what for change in differences(lockfile.read(path), LOCK)] == ["binary of connector"]
