"""The tools that cargo needs on this machine: cargo itself, a C compiler, libclang."""

from __future__ import annotations

import glob
import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RUSTUP: Final = "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
LIBCLANG_CURE: Final = "apt-get install libclang-dev   (or, into hftstack's Python: pip install libclang)"

_LIBCLANG_NAME: Final = re.compile(r"libclang(?!-cpp\.)(-.*)?\.so(\..*)?")
_LIBRARY_FOLDERS: Final = (
    "usr/local/llvm*/lib*",
    "usr/local/lib*/*/*",
    "usr/local/lib*/*",
    "usr/local/lib*",
    "usr/lib*/*/*",
    "usr/lib*/*",
    "usr/lib*",
)
"""Where clang-sys 1.9.1 looks on Linux (its build/common.rs and build/dynamic.rs)."""


def cargo(environ: Mapping[str, str]) -> Path:
    """Return cargo on the PATH of `environ`. Raises BuildError."""
    if found := which("cargo", environ):
        return found
    home = Path(environ.get("CARGO_HOME") or Path(environ.get("HOME", "/")) / ".cargo")
    if (home / "bin" / "cargo").is_file():
        raise BuildError("cargo is not on the PATH", hint=f'export PATH="{home}/bin:$PATH"')
    raise BuildError("cargo is not installed", hint=f"install Rust: {RUSTUP}")


def c_compiler(environ: Mapping[str, str]) -> Path:
    """Return the C compiler that links what cargo builds: $CC, cc, gcc or clang. Raises BuildError."""
    for name in (environ.get("CC", ""), "cc", "gcc", "clang"):
        if name and (found := which(name, environ)):
            return found
    raise BuildError("no C compiler: Rust needs one to link", hint="apt-get install gcc libc6-dev")


def system_libclang(environ: Mapping[str, str], *, root: Path = Path("/")) -> Path | None:
    """Return the libclang that clang-sys would load without our help.

    Args:
        environ: cargo's environment; LIBCLANG_PATH in it is the only place then.
        root: where the file system begins.
    """
    if (named := environ.get("LIBCLANG_PATH")) is not None:
        path = Path(named)
        return path if path.is_file() else _libclang_in(path)
    return next((library for folder in _library_folders(environ, root) if (library := _libclang_in(folder))), None)


def wheel_libclang() -> Path | None:
    """Return the libclang of the PyPI package `libclang`, if it is installed beside hftstack."""
    spec = importlib.util.find_spec("clang")
    if spec is None or spec.submodule_search_locations is None:
        return None
    libraries = (Path(folder) / "native" / "libclang.so" for folder in spec.submodule_search_locations)
    return next((library for library in libraries if library.is_file()), None)


def wheel_environment(library: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that make bindgen use the wheel's libclang.

    The wheel brings no headers of its own; without gcc's, bindgen stops with "'stddef.h' file not found" (measured).
    """
    variables = {"LIBCLANG_PATH": str(library.parent)}
    if headers := _compiler_headers(environ):
        given = environ.get("BINDGEN_EXTRA_CLANG_ARGS", "")
        variables["BINDGEN_EXTRA_CLANG_ARGS"] = f"{given} -I{headers}".strip()
    return variables


def which(name: str, environ: Mapping[str, str]) -> Path | None:
    """Return the program that `name` means on the PATH of `environ`."""
    found = shutil.which(name, path=environ.get("PATH", ""))
    return Path(found) if found else None


def _library_folders(environ: Mapping[str, str], root: Path) -> Iterator[Path]:
    if prefix := _answer(environ.get("LLVM_CONFIG_PATH", "llvm-config"), "--prefix", environ):
        yield from (Path(prefix) / name for name in ("bin", "lib", "lib64"))
    for variable in ("LD_LIBRARY_PATH", "LIBRARY_PATH"):
        yield from (Path(folder) for folder in environ.get(variable, "").split(":") if folder)
    for pattern in _LIBRARY_FOLDERS:
        yield from map(Path, glob.iglob(f"{glob.escape(str(root))}/{pattern}/"))  # noqa: PTH207 - only folders, and fast


def _libclang_in(folder: Path) -> Path | None:
    try:
        names = os.listdir(folder)  # noqa: PTH208 - thousands of folders: no Path for each entry
    except OSError:
        return None
    return next((folder / name for name in sorted(names) if _LIBCLANG_NAME.fullmatch(name)), None)


def _compiler_headers(environ: Mapping[str, str]) -> str | None:
    for name in ("gcc", "cc"):
        answer = _answer(name, "-print-file-name=include", environ)
        if answer and Path(answer).is_absolute():
            return answer
    return None


def _answer(name: str, argument: str, environ: Mapping[str, str]) -> str | None:
    program = which(name, environ)
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, argument], env=environ, stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace").strip()
