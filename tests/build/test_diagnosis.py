from __future__ import annotations

import pytest

from orchestrator.build.diagnosis import diagnose


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "rustc 1.85.0 is not supported by the following package:\n a requires rustc 1.91.1\n b requires rustc 1.88",
            "rustc 1.85.0 is too old, the manifests ask for 1.91.1",
            "rustup update stable",
        ),
        (
            "`a` requires rustc 1.91 or newer, while the currently active rustc version is 1.63.0",
            "rustc 1.63.0 is too old, the manifests ask for 1.91",
            "rustup update stable",
        ),
        (
            "Caused by:\n  feature `edition2024` is required\n\n  The package requires the Cargo feature called",
            "this cargo is too old for the workspace",
            "rustup update stable",
        ),
        (
            "error: rustup could not choose a version of cargo to run, because one wasn't specified explicitly",
            "rustup has no Rust toolchain for this workspace",
            "rustup default stable",
        ),
        (
            "thread 'main' panicked at bindgen-0.69.5/lib.rs:622:31:\nUnable to find libclang: \"couldn't find",
            "libclang is missing: bindgen needs it",
            "apt-get install libclang-dev",
        ),
        (
            "error: linker `cc` not found",
            "the C compiler is missing: Rust needs one to link",
            "apt-get install gcc libc6-dev",
        ),
        (
            "error: failed to write `x`\nCaused by:\n  No space left on device (os error 28)",
            "the disk is full",
            "free some space",
        ),
        (
            "error: failed to open: target/release/.cargo-lock\nCaused by:\n  Permission denied (os error 13)",
            "cargo may not write where it has to",
            "give it a folder of yours: build: {env: {CARGO_TARGET_DIR: PATH}}",
        ),
        (
            "error: failed to parse lock file\nCaused by:\n  lock file version 4 requires `-Znext-lockfile-bump`",
            "this cargo is too old for the workspace",
            "rustup update stable",
        ),
        (
            "error: failed to download from `https://registry.example/config.json`",
            "cargo cannot fetch the dependencies",
            "check the network",
        ),
    ],
)
def test_cargos_words_are_answered_with_a_cure(text: str, message: str, hint: str) -> None:
    diagnosis = diagnose(text, codes=frozenset(), default_features=True)
    assert diagnosis is not None
    assert diagnosis.message == message
    assert diagnosis.hint.startswith(hint)


def test_unresolved_names_are_blamed_on_missing_defaults_only_when_they_are_missing() -> None:
    codes = frozenset({"E0432"})
    diagnosis = diagnose("", codes=codes, default_features=False)
    assert diagnosis is not None
    assert "default_features: true" in diagnosis.hint
    assert diagnose("", codes=codes, default_features=True) is None


def test_unknown_words_are_no_reason_to_guess() -> None:
    assert diagnose("error: something new", codes=frozenset(), default_features=True) is None
