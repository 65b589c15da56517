from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import tomli_w

from orchestrator.venue import schema
from orchestrator.venue.models import MODELS
from tests.venue.configs import CONFIGS, PEM

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = Path(__file__).parents[2] / "schemas"


def refused(kind: str, folder: Path, tables: Mapping[str, Mapping[str, object]]) -> set[str]:
    """Return the names of those tables that check-jsonschema refuses, as TOML files, by the repository's schema."""
    files = []
    for name, table in tables.items():
        files.append(folder / f"{name}.toml")
        files[-1].write_text(tomli_w.dumps(table), encoding="utf-8")
    program = [sys.executable, "-m", "check_jsonschema", "--output-format", "json"]
    program += ["--schemafile", str(FOLDER / f"{kind}.schema.json")]
    result = subprocess.run([*program, *map(str, files)], capture_output=True, text=True, check=False)
    report = json.loads(result.stdout)
    assert not report.get("parse_errors")
    return {Path(error["filename"]).stem for error in report.get("errors", [])}


@pytest.mark.parametrize("kind", MODELS)
def test_the_schema_in_the_repository_is_current(kind: str) -> None:
    file = FOLDER / f"{kind}.schema.json"

    assert file.read_text(encoding="utf-8") == schema.render(kind), f"run: python -m orchestrator.venue.schema {kind}"


@pytest.mark.parametrize("kind", MODELS)
def test_an_independent_checker_accepts_sound_tables_and_refuses_bad_ones(kind: str, tmp_path: Path) -> None:
    sound = {network: table for (of, network), table in CONFIGS.items() if of == kind}
    sound["keyed"] = {**sound["testnet"], "api_key": "key", "secret": PEM if kind == "binancespot" else "secret"}
    base, url = sound["testnet"], "private_url" if kind == "bybit" else "stream_url"
    rest = "rest_url" if kind == "bybit" else "api_url"
    bad: dict[str, Mapping[str, object]] = {
        "typo": {**base, "secret_key": "x"},
        "missing": {key: value for key, value in base.items() if key != rest},
        "type": {**base, "order_prefix": 1},
        "slash": {**base, rest: f"{base[rest]}/"},
        "scheme": {**base, url: base[url].replace("wss", "https")},
        "long": {**base, "order_prefix": "m" * 21},
        "blank": {**base, "order_prefix": "m m"},
    }

    assert refused(kind, tmp_path, {**sound, **bad}) == set(bad)


@pytest.mark.parametrize("kind", MODELS)
def test_every_key_says_what_it_is_for(kind: str) -> None:
    assert all(len(value["description"].split()) > 3 for value in schema.build(kind)["properties"].values())
