from __future__ import annotations

import hashlib
import os
import struct
from typing import TYPE_CHECKING

import pytest

from orchestrator.build.store import store
from orchestrator.errors import RefusedError

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = b"#!/bin/sh\nexit 0\n"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program"
    path.write_bytes(SCRIPT)
    path.chmod(0o755)
    return path


def test_the_copy_is_named_by_its_digest_and_private(program: Path, tmp_path: Path) -> None:
    stored = store(program, tmp_path / "binaries")
    assert stored.sha256 == hashlib.sha256(SCRIPT).hexdigest()
    assert stored.path == tmp_path / "binaries" / stored.sha256 / "program"
    assert stored.path.read_bytes() == SCRIPT
    assert stored.path.stat().st_mode & 0o777 == 0o500
    assert stored.path.parent.stat().st_mode & 0o777 == 0o700
    assert stored.path.parent.parent.stat().st_mode & 0o777 == 0o700
    assert list((tmp_path / "binaries").iterdir()) == [stored.path.parent]


def test_the_copy_shares_no_inode_with_its_source(program: Path, tmp_path: Path) -> None:
    stored = store(program, tmp_path / "binaries")
    program.write_bytes(b"#!/bin/sh\nexit 1\n")
    assert stored.path.read_bytes() == SCRIPT


def test_the_same_bytes_are_stored_once(program: Path, tmp_path: Path) -> None:
    first = store(program, tmp_path / "binaries")
    inode = first.path.stat().st_ino
    assert store(program, tmp_path / "binaries") == first
    assert first.path.stat().st_ino == inode


def test_other_bytes_of_the_same_name_stand_beside(program: Path, tmp_path: Path) -> None:
    first = store(program, tmp_path / "binaries")
    program.write_bytes(b"#!/bin/sh\nexit 1\n")
    second = store(program, tmp_path / "binaries")
    assert first.path.exists()
    assert second.path.read_bytes() != first.path.read_bytes()


def test_a_damaged_copy_is_replaced_and_its_open_file_left_as_it_was(program: Path, tmp_path: Path) -> None:
    first = store(program, tmp_path / "binaries")
    first.path.chmod(0o700)
    first.path.write_bytes(b"damaged")
    with first.path.open("rb") as running:
        assert store(program, tmp_path / "binaries").path.read_bytes() == SCRIPT
        assert running.read() == b"damaged"


def test_a_store_that_cannot_be_written_refuses(program: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RefusedError, match="cannot store the binary program"):
        store(program, tmp_path / "file")


def test_lost_file_capabilities_are_named(program: Path, tmp_path: Path) -> None:
    nice = struct.pack("<IIIII", 0x02000001, 1 << 23, 0, 0, 0)
    try:
        os.setxattr(program, "security.capability", nice)
    except OSError as error:
        pytest.skip(f"cannot set file capabilities here: {error.strerror}")
    (warning,) = store(program, tmp_path / "binaries").warnings
    assert "loses file capabilities" in warning
    assert str(program) in warning
