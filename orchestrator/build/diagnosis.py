"""From cargo's words to what the user can do. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from orchestrator.build.toolchain import LIBCLANG_CURE, RUSTUP

_UPDATE: Final = f"rustup update stable   (a distribution's rustc is often too old; rustup: {RUSTUP})"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is wrong, in a sentence, and the cure."""

    message: str
    hint: str


_KNOWN: Final = (
    (
        r"`edition\d+` is required|`\d+` edition|supported edition values|understand this lock|lock file .* requires",
        Diagnosis("this cargo is too old for the workspace", _UPDATE),
    ),
    (
        r"rustup could not choose a version|toolchain '[^']*' is not installed",
        Diagnosis("rustup has no Rust toolchain for this workspace", "rustup default stable"),
    ),
    (
        r"lock file .* (?:needs to be updated but|because) --locked",
        Diagnosis(
            "Cargo.lock does not fit the manifests, and the build is locked",
            "bring it up to date on purpose with `cargo update --workspace`, or set build: {locked: false}",
        ),
    ),
    (r"Unable to find libclang", Diagnosis("libclang is missing: bindgen needs it", LIBCLANG_CURE)),
    (
        r"'[\w./]+\.h' file not found",
        Diagnosis("the C headers are missing", "apt-get install gcc libc6-dev libclang-dev"),
    ),
    (
        r"linker `[^`]*` not found|failed to find tool",
        Diagnosis("the C compiler is missing: Rust needs one to link", "apt-get install gcc libc6-dev"),
    ),
    (
        r"No space left on device",
        Diagnosis("the disk is full", "free some space, or set build: {env: {CARGO_TARGET_DIR: PATH}}"),
    ),
    (
        r"Permission denied \(os error 13\)|Read-only file system \(os error 30\)",
        Diagnosis(
            "cargo may not write where it has to", "give it a folder of yours: build: {env: {CARGO_TARGET_DIR: PATH}}"
        ),
    ),
    (
        r"resolve host|failed to download|Unable to update registry|failed to fetch|offline mode|but --offline",
        Diagnosis("cargo cannot fetch the dependencies", "check the network, or fetch them first: cargo fetch"),
    ),
)

_TOO_OLD: Final = (
    re.compile(r"rustc (?P<have>[\d.]+)\S* is not supported by the following package"),
    re.compile(
        r"requires rustc (?P<want>[\d.]+) or newer, while the currently active rustc version is (?P<have>[\d.]+)"
    ),
)
_WANTED: Final = re.compile(r"requires rustc (\d+(?:\.\d+)*)")
_UNRESOLVED: Final = frozenset({"E0405", "E0412", "E0422", "E0425", "E0432", "E0433"})


def diagnose(text: str, *, codes: frozenset[str], default_features: bool) -> Diagnosis | None:
    """Return what cargo's output means, None when it speaks for itself.

    Args:
        text: standard error of cargo, and of the build scripts that it quotes.
        codes: the compiler's error codes, such as E0432.
        default_features: whether the build had the default features of its packages.
    """
    for pattern in _TOO_OLD:
        if found := pattern.search(text):
            wanted = max(_WANTED.findall(text), key=_version, default="a newer one")
            return Diagnosis(f"rustc {found['have'].rstrip('.')} is too old, the manifests ask for {wanted}", _UPDATE)
    for known, diagnosis in _KNOWN:
        if re.search(known, text):
            return diagnosis
    if not default_features and codes & _UNRESOLVED:
        return Diagnosis(
            "this set of features does not compile",
            "build with the package's defaults as well: build: {default_features: true}",
        )
    return None


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
