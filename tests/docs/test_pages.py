"""The pages that people read: what they name is there, and what they show is valid."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.cli.main import VERBS
from orchestrator.venue import load
from tests.integration.harness import Machine

if TYPE_CHECKING:
    from collections.abc import Iterator

_REPOSITORY = Path(__file__).resolve().parents[2]
_PAGES = [_REPOSITORY / "README.md", *sorted((_REPOSITORY / "docs").rglob("*.md"))]
_LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
_CODE = re.compile(r"^```\w*\n(.*?)^```|^    (.*?)$|`([^`\n]+)`", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"(?:^|[$|&] )hftstack (\w[\w-]*)", re.MULTILINE)


@pytest.fixture
def machine() -> Iterator[Machine]:
    started = Machine()
    yield started
    started.close()


def _name(page: Path) -> str:
    return str(page.relative_to(_REPOSITORY))


@pytest.mark.parametrize("page", _PAGES, ids=_name)
def test_what_a_page_links_to_is_there(page: Path) -> None:
    missing = [link for link in _LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()]

    assert missing == []


@pytest.mark.parametrize("page", _PAGES, ids=_name)
def test_the_commands_on_a_page_exist(page: Path) -> None:
    pieces = ["".join(groups) for groups in _CODE.findall(page.read_text(encoding="utf-8"))]
    named = {verb for piece in pieces for verb in _COMMAND.findall(piece)}

    assert named - {*VERBS, "VERB"} == set()


def test_the_rehearsal_on_the_testnet_page_is_a_stack(tmp_path: Path) -> None:
    text = (_REPOSITORY / "docs/testnet.md").read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]
    file = tmp_path / "rehearsal.yaml"
    file.write_text(text)
    stack = load(file, {})

    assert stack.order() == ("exchange", "bf", "mm")
    assert stack.warnings == ()


def test_the_testnet_page_tells_what_init_says(machine: Machine) -> None:
    page = (_REPOSITORY / "docs/testnet.md").read_text(encoding="utf-8")
    told = page.partition("\n$ hftstack init ")[2].partition("```")[0]
    line, _, said = told.partition("\n")
    done = machine.hftstack("init", *shlex.split(line))

    assert done.code == 0
    assert done.out + done.err == said


def test_the_stack_on_the_page_of_secrets_needs_none_of_them_to_be_valid(tmp_path: Path) -> None:
    text = (_REPOSITORY / "docs/secrets.md").read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "s.yaml").write_text(f"network: testnet\n{text}")
    (tmp_path / "sp.toml").write_text(
        'stream_url = "wss://stream.testnet.binance.vision/ws"\napi_url = "https://testnet.binance.vision"\n'
        'ws_api_url = "wss://ws-api.testnet.binance.vision/ws-api/v3"\norder_prefix = "mm1"\n'
        'api_key = "${secret:by_key}"\nsecret = "${secret:sp_pem}"\n'
    )
    stack = load(tmp_path / "s.yaml", {})

    assert {warning.message for warning in stack.warnings} == {'no config refers to the secret "by_secret"'}
