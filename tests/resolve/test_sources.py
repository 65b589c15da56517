from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.resolve import ResolveError, sources
from orchestrator.stack.parts import Secret

if TYPE_CHECKING:
    from pathlib import Path

HUSH = "hush-hush"
PEM = "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----\n"


class Place:
    """A folder to read secrets in, by a caller's environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {"PATH": os.environ["PATH"], "KEY": HUSH, "CREDENTIALS_DIRECTORY": str(folder / "credentials")}
        (folder / "credentials").mkdir()

    def read(self, patience: float = 20.0, **source: Any) -> str:  # noqa: ANN401 - one of the four
        return sources.read(Secret.model_validate(source), self.folder, self.environ, patience=patience)

    def file(self, content: str | bytes, mode: int = 0o600) -> str:
        path = self.folder / "secret"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        return str(path)

    def shell(self, line: str, patience: float = 20.0) -> str:
        return self.read(patience, command=["sh", "-c", line])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def _refused(place: Place, patience: float = 20.0, **source: Any) -> str:  # noqa: ANN401 - one of the four
    with pytest.raises(ResolveError) as caught:
        place.read(patience, **source)
    assert HUSH not in str(caught.value)
    assert caught.value.hint
    return str(caught.value)


def test_a_secret_comes_from_a_variable_a_file_a_program_or_a_credential(place: Place) -> None:
    (place.folder / "credentials" / "key").write_text(f"{HUSH}\r\n")
    (place.folder / "credentials" / "key").chmod(0o440)

    assert place.read(env="KEY") == HUSH
    assert place.read(file=place.file(f"{HUSH}\n")) == HUSH
    assert place.read(credential="key") == HUSH
    assert place.shell('printf %s "$KEY"') == HUSH


def test_a_program_runs_without_a_shell_in_the_stack_s_folder_and_may_be_relative_to_it(place: Place) -> None:
    script = place.folder / "vault"
    script.write_text('#!/bin/sh\necho "$PWD $1"\n')
    script.chmod(0o755)

    assert place.read(command=["./vault", "$KEY; x"]) == f"{place.folder} $KEY; x"


@pytest.mark.parametrize("text", [PEM, PEM.rstrip(), PEM.replace("\n", "\r\n")])
def test_a_private_key_in_pem_is_the_only_secret_of_several_lines(place: Place, text: str) -> None:
    secret = place.read(file=place.file(text))

    assert secret.replace("\r", "") == PEM
    assert secret.endswith("-----\n")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "gives nothing"),
        ("\n", "gives nothing"),
        ("  \n", "gives nothing"),
        (f"{HUSH}\n{HUSH}\n", "gives 2 lines, not one"),
        (f"{PEM}{HUSH}\n", "gives 4 lines"),
        (f"{PEM}{PEM}", "gives 6 lines"),
        (b"\xff" + HUSH.encode(), "does not give UTF-8 text"),
        (f"{HUSH}\0", "NUL byte"),
        (HUSH * 10_000, "more than 64 KiB"),
    ],
)
def test_what_is_no_secret_is_refused_and_not_shown(place: Place, content: str | bytes, says: str) -> None:
    path = place.file(content)

    assert says in _refused(place, file=path)
    assert says in _refused(place, command=["cat", path])


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622, 0o660])
def test_a_file_that_others_may_read_or_write_is_refused(place: Place, mode: int) -> None:
    said = _refused(place, file=place.file(HUSH, mode))

    assert f"is open to others: its mode is {mode:04o}" in said
    assert f"chmod 600 {place.folder}/secret" in said


def test_a_file_that_is_none_is_refused_at_once(place: Place) -> None:
    os.mkfifo(place.folder / "pipe", 0o600)

    assert "No such file" in _refused(place, file=str(place.folder / "none"))
    assert "not a regular file" in _refused(place, file=str(place.folder / "pipe"))
    assert "not a regular file" in _refused(place, file=str(place.folder))


def test_a_variable_or_a_credential_that_is_not_there_is_named(place: Place) -> None:
    assert "the variable NOT_SET is not set" in _refused(place, env="NOT_SET")
    assert "credentials/none cannot be read" in _refused(place, credential="none")
    del place.environ["CREDENTIALS_DIRECTORY"]
    assert "systemd gave no credentials" in _refused(place, credential="key")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("echo hush-hush; echo hush-hush >&2; exit 3", "exited with 3"),
        ("kill -9 $$", "was ended by SIGKILL"),
        ("exec cat /dev/zero", "more than 64 KiB"),
    ],
)
def test_a_program_that_fails_or_floods_is_one_clear_message(place: Place, line: str, says: str) -> None:
    assert says in _refused(place, command=["sh", "-c", line])


def test_a_program_that_is_not_there_is_named(place: Place) -> None:
    assert "no program 'no-such-program'" in _refused(place, command=["no-such-program"])


@pytest.mark.parametrize(
    "line", ["sleep 1000", "echo hush-hush; exec sleep 1000", "exec >&-; sleep 1000", "sleep 1000 &"]
)
def test_a_program_that_hangs_is_killed_with_what_it_started(place: Place, line: str) -> None:
    pids = place.folder / "pids"
    said = _refused(place, 0.3, command=["sh", "-c", f"echo $$ >{pids}; {line}"])

    assert "did not end within 0.3 s, and was killed" in said
    deadline = time.monotonic() + 20
    while (pid := int(pids.read_text())) and _group_lives(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_an_optional_secret_behind_a_closed_door_is_there_and_refused(place: Place) -> None:
    (place.folder / "closed").mkdir(mode=0)
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        assert "Permission denied" in _refused(place, file=str(place.folder / "closed" / "key"), optional=True)
    finally:
        os.seteuid(before)


def test_an_optional_secret_is_empty_when_there_is_none_and_refused_when_it_is_wrong(place: Place) -> None:
    none = str(place.folder / "none")

    assert place.read(env="NOT_SET", optional=True) == ""
    assert place.read(file=none, optional=True) == ""
    assert place.read(credential="none", optional=True) == ""
    assert place.read(env="KEY", optional=True) == HUSH
    assert "open to others" in _refused(place, file=place.file(HUSH, 0o644), optional=True)
    assert "gives nothing" in _refused(place, file=place.file(""), optional=True)
    (place.folder / "link").symlink_to(none)
    assert "No such file" in _refused(place, file=str(place.folder / "link"), optional=True)
    assert "exited with 1" in _refused(place, command=["false"], optional=True)
    del place.environ["CREDENTIALS_DIRECTORY"]
    assert place.read(credential="key", optional=True) == ""


def test_a_look_at_a_source_reads_nothing_and_runs_nothing(place: Place) -> None:
    def look(**source: Any) -> bool:  # noqa: ANN401 - one of the four
        return sources.look(Secret.model_validate(source), place.folder, place.environ)

    proof = place.folder / "proof"
    assert look(command=["touch", str(proof)])
    assert not proof.exists()
    assert look(env="KEY")
    assert look(file=place.file(""))
    assert not look(env="NOT_SET", optional=True)
    for wrong in ({"env": "NOT_SET"}, {"file": place.file(HUSH, 0o644)}, {"command": ["no-such"]}, {"credential": "x"}):
        with pytest.raises(ResolveError):
            look(**wrong)
