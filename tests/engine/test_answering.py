from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from orchestrator.build import CONNECTOR, BuildResult, Program, StoredBinary
from orchestrator.engine.answering import refuse_mute
from orchestrator.errors import BuildError

if TYPE_CHECKING:
    from pathlib import Path

ENVIRON = {"PATH": "/usr/bin:/bin", "API_KEY": "hunter2"}


def _built(folder: Path, text: str, program: Program = CONNECTOR) -> BuildResult:
    path = folder / "connector"
    path.write_text(text)
    path.chmod(0o755)
    return BuildResult(MappingProxyType({program: StoredBinary(path, "00")}), (), folder, 0.0, rebuilt=True)


def test_a_connector_that_says_how_it_is_used_answers(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    script = f'#!/bin/sh\necho "$@${{API_KEY:-}}" > {asked}\n'
    refuse_mute(_built(tmp_path, script), environ=ENVIRON)

    assert asked.read_text() == "--help\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not a program at all", "cannot be run: Exec format error"),
        ("#!/no/such/interpreter\n", "cannot be run: No such file"),
        ("#!/bin/sh\nkill -ILL $$\n", "ended by SIGILL"),
        ("#!/bin/sh\necho expects a config >&2\nexit 2\n", "exit code 2, not 0"),
        ("#!/bin/sh\necho expects a config >&2\nexit 2\n", "expects a config"),
        ("#!/bin/sh\nexit 1\n", "exit code 1, not 0"),
        ("#!/bin/sh\necho libssl.so.3: cannot open >&2\nexit 127\n", "libssl.so.3: cannot open"),
    ],
)
def test_a_connector_that_cannot_run_is_refused_and_says_why(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BuildError) as caught:
        refuse_mute(_built(tmp_path, text), environ=ENVIRON)

    assert said in str(caught.value)
    assert "nothing was stopped for it" in str(caught.value)


def test_a_connector_that_does_not_end_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"did not answer --help within 0\.2 s"):
        refuse_mute(_built(tmp_path, "#!/bin/sh\nexec sleep 1000\n"), environ=ENVIRON, patience=0.2)


def test_a_bot_is_not_asked_for_it_may_begin_to_trade(tmp_path: Path) -> None:
    refuse_mute(_built(tmp_path, "not a program", Program("bot")), environ=ENVIRON)
    refuse_mute(None, environ=ENVIRON)
