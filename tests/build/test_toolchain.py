from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.build import toolchain
from orchestrator.errors import BuildError


def executable(path: Path, script: str = "exit 0") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return path


def library(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_cargo_is_taken_from_the_path(tmp_path: Path) -> None:
    cargo = executable(tmp_path / "bin" / "cargo")
    assert toolchain.cargo({"PATH": str(cargo.parent)}) == cargo


def test_a_cargo_beside_the_path_is_pointed_at(tmp_path: Path) -> None:
    cargo = executable(tmp_path / ".cargo" / "bin" / "cargo")
    with pytest.raises(BuildError) as caught:
        toolchain.cargo({"PATH": str(tmp_path), "HOME": str(tmp_path)})
    assert "not on the PATH" in caught.value.message
    assert str(cargo.parent) in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["cc", "gcc", "clang"])
def test_any_c_compiler_does(tmp_path: Path, name: str) -> None:
    compiler = executable(tmp_path / name)
    assert toolchain.c_compiler({"PATH": str(tmp_path)}) == compiler


def test_a_missing_c_compiler_comes_with_the_line_that_installs_it(tmp_path: Path) -> None:
    with pytest.raises(BuildError) as caught:
        toolchain.c_compiler({"PATH": str(tmp_path)})
    assert "C compiler" in caught.value.message
    assert (caught.value.hint or "").startswith("apt-get install gcc")


@pytest.mark.parametrize(
    "place",
    [
        "usr/lib/llvm-14/lib/libclang.so.1",
        "usr/lib/x86_64-linux-gnu/libclang-14.so.14.0.6",
        "usr/lib64/libclang.so",
        "usr/local/llvm17/lib/libclang-17.so",
    ],
)
def test_libclang_is_found_in_the_usual_folders(tmp_path: Path, place: str) -> None:
    library(tmp_path / "usr/lib/llvm-14/lib/libclang-cpp.so.14")
    found = library(tmp_path / place)
    assert toolchain.system_libclang({"PATH": ""}, root=tmp_path) == found


def test_the_cpp_library_is_not_libclang(tmp_path: Path) -> None:
    library(tmp_path / "usr/lib/llvm-14/lib/libclang-cpp.so.14")
    assert toolchain.system_libclang({"PATH": ""}, root=tmp_path) is None


def test_libclang_is_found_where_llvm_config_says(tmp_path: Path) -> None:
    executable(tmp_path / "bin" / "llvm-config", f"echo {tmp_path}/llvm")
    found = library(tmp_path / "llvm" / "lib" / "libclang.so")
    assert toolchain.system_libclang({"PATH": str(tmp_path / "bin")}, root=tmp_path / "none") == found


def test_libclang_path_is_the_only_place_when_it_is_set(tmp_path: Path) -> None:
    library(tmp_path / "usr/lib/libclang.so")
    environ = {"PATH": "", "LIBCLANG_PATH": str(tmp_path / "own")}
    assert toolchain.system_libclang(environ, root=tmp_path) is None
    found = library(tmp_path / "own" / "libclang.so")
    assert toolchain.system_libclang(environ, root=tmp_path) == found
    assert toolchain.system_libclang({"PATH": "", "LIBCLANG_PATH": str(found)}, root=tmp_path) == found


def test_the_wheels_libclang_is_used_with_the_compilers_own_headers() -> None:
    wheel = toolchain.wheel_libclang()
    if wheel is None or toolchain.which("gcc", os.environ) is None:
        pytest.skip("needs the PyPI package libclang, and gcc")
    variables = toolchain.wheel_environment(wheel, {**os.environ, "BINDGEN_EXTRA_CLANG_ARGS": "-DX"})
    assert (Path(variables["LIBCLANG_PATH"]) / "libclang.so").is_file()
    given, include = variables["BINDGEN_EXTRA_CLANG_ARGS"].split()
    assert given == "-DX"
    assert (Path(include.removeprefix("-I")) / "stddef.h").is_file()
