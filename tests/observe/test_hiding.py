from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.deployment.model import File
from orchestrator.observe.hiding import of_unit
from tests.supervise.specs import bot, connector

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.deployment.model import UnitSpec

_TABLE = """
api_key = "hush-key"
secret = "hush-secret"
passphrase = "hush-phrase"
order_prefix = "mm1"
stream_url = "wss://example.org/ws"
api_url = "https://hush@example.org"
[more]
tokens = ["hush-token"]
short = "abc"
"""


def _unit(tmp_path: Path, kind: str, digest: str = "f" * 64) -> UnitSpec:
    file = tmp_path / "bf.toml"
    file.write_text(_TABLE)
    return replace(connector("bf"), type=kind, files=(File(str(file), digest),))


def test_what_a_connector_says_of_its_config_shows_what_a_reviewer_may_see(tmp_path: Path) -> None:
    shown = of_unit(_unit(tmp_path, "kraken")).hide(_TABLE)

    assert "hush" not in shown
    assert shown.count("[hidden]") == 5
    for public in ('order_prefix = "mm1"', '"wss://example.org/ws"', '"abc"', "passphrase = "):
        assert public in shown


def test_a_simulator_hides_what_was_filled_in_and_nothing_of_its_own(tmp_path: Path) -> None:
    plain = hashlib.sha256(_TABLE.encode()).hexdigest()

    assert of_unit(_unit(tmp_path, "sim", plain)).hide(_TABLE) == _TABLE
    assert "hush" not in of_unit(_unit(tmp_path, "sim")).hide(_TABLE)


def test_variables_and_words_that_the_environment_gave_are_hidden_and_paths_are_not() -> None:
    unit = replace(
        bot("mm"),
        argv=("/bin/mm", "hush-given", "spoken-plainly"),
        given=("argv.1",),
        env=(
            ("HOME", "home-of-mine"),
            ("PYTHONPATH", "/srv/somewhere"),
            ("RUST_LOG", "debugging"),
            ("TOKEN", "hush-value"),
        ),
    )
    text = "hush-given spoken-plainly home-of-mine /srv/somewhere/x.py debugging hush-value"

    assert of_unit(unit).hide(text) == "[hidden] spoken-plainly home-of-mine /srv/somewhere/x.py debugging [hidden]"


def test_a_config_that_is_gone_or_no_toml_hides_nothing(tmp_path: Path) -> None:
    unit = _unit(tmp_path, "kraken")
    (tmp_path / "bf.toml").write_text("no toml")
    assert of_unit(unit).hide("no toml") == "no toml"
    (tmp_path / "bf.toml").unlink()
    assert of_unit(unit).values == ()
