from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from orchestrator.stack import canonical, load, loader, reading
from orchestrator.stack.model import Stack
from orchestrator.venue.models import PUBLIC

if TYPE_CHECKING:
    from collections.abc import Mapping

_STACKS = Path(__file__).resolve().parents[2] / "stacks"
_FULL = """\
version: 1
network: testnet
x-shared: &shared {RUST_LOG: debug, TOKEN: hunter2}
source: {path: up}
build: {env: {CC: clang}, rustflags: [-Cx]}
channel: {max_bots: 10}
env: {COMMON: hunter2, RUST_LOG: info}
secrets:
  b-key: {env: BF_KEY}
  a-key: {file: up/../sub/a.key}
  c-key: {command: [./vault, "$$x"]}
notify: {command: [./alert.sh], on: [failed], timeout: 5s}
defaults:
  health: {startup: 1m30s}
  restart: {backoff: {initial: 250ms}, max_age: 23h, window: "03:00-04:00 UTC"}
connectors:
  by:
    type: bybit
    config: by.toml
    cwd: sub
  bf:
    depends_on: {proxy: {condition: started, on_restart: keep}}
    config:
      secret: hunter2
      api_key: ${KEY}
      unset: ${NOBODY_SET_THIS:-}
      empty: ""
      number: 12345
      token: ${secret:b-key}
      mixed: hunter2${secret:b-key}
      nested: {list: [hunter2], url: "https://hunter2"}
      stream_url: wss://fstream.binancefuture.com/ws
      api_url: https://user:hunter2@testnet.binancefuture.com
      order_prefix: mm1
    type: binancefutures
    env: *shared
    resources: {cpus: [3, 2], scheduler: "fifo:10", timer_slack: 1us, limits: {nofile: 65536, core: unlimited}}
  s: {type: sim, config: {rate: 5, symbols: ["${secret:a-key}", "${secret:c-key}"]}}
services:
  proxy: {command: [./p, "$$5", "on", "1e3", "0o17", "12:30"], ready: {tcp: "[::1]:3128"}}
bots:
  mm: {command: [python3, mm.py], depends_on: [by, bf], attached: false, restart: {policy: on-failure}}
  aa: {package: aa, bin: aa, depends_on: [s]}
"""


def _write(folder: Path, text: str) -> Path:
    for name in ("up", "sub"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "by.toml").write_text('secret = "hunter2"\n')
    file = folder / "prod.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def _text(file: Path, environ: Mapping[str, str] | None = None) -> str:
    stack = load(file, {"KEY": "hunter2"} if environ is None else environ)
    return canonical.to_yaml(canonical.resolved(stack, reading.document_at(file), PUBLIC))


def test_the_canonical_form_is_a_stack_file_whose_canonical_form_it_is(tmp_path: Path) -> None:
    first = _text(_write(tmp_path, _FULL))
    second = _text(_write(tmp_path, first))

    assert second == first


def test_no_secret_is_left_and_what_is_none_is_still_there(tmp_path: Path) -> None:
    text = _text(_write(tmp_path, _FULL))
    config = yaml.safe_load(text)["connectors"]["bf"]["config"]

    assert "hunter2" not in text
    assert "12345" not in text
    assert config == {
        "api_key": "${KEY}",
        "api_url": "<redacted>",
        "empty": "",
        "unset": "${NOBODY_SET_THIS:-}",
        "nested": {"list": ["<redacted>"], "url": "<redacted>"},
        "number": "<redacted>",
        "token": "${secret:b-key}",
        "mixed": "<redacted>",
        "order_prefix": "mm1",
        "secret": "<redacted>",
        "stream_url": "wss://fstream.binancefuture.com/ws",
    }


_HIDDEN = "of-the-callers-environment"
_SPREAD = """\
network: testnet
source: {path: "${V}"}
build: {rustflags: ["${V}"]}
notify: {command: ["./a", "${V}"]}
secrets: {a: {file: "sub/${V}"}, b: {command: [./c, "${V}"]}}
defaults: {hooks: {on_failed: ["./h", "${V}"]}, health: {startup: "${TIME}"}}
connectors: {c: {type: bybit, config: {order_prefix: "${V}", api_key: "${V:-hunter2}"}, hooks: {on_halt: ["${V}"]}}}
services: {s: {command: [x, "a${V}"], ready: {exec: [y, "${V:-none}"]}}}
bots: {b: {command: ["${V}", "$$${V}"], cwd: "${HERE}", attached: false}, p: {package: p, args: ["${V}"]}}
"""


def test_what_comes_from_the_callers_environment_is_printed_as_it_was_written(tmp_path: Path) -> None:
    environ = {"V": _HIDDEN, "TIME": "3s", "HERE": str(tmp_path / "up")}
    text = _text(_write(tmp_path, _SPREAD), environ)
    data = yaml.safe_load(text)

    assert _HIDDEN not in text
    assert "hunter2" not in text
    assert data["secrets"]["a"] == {"file": "sub/${V}"}
    assert data["bots"]["b"]["command"] == ["${V}", "$$${V}"]
    assert data["bots"]["b"]["cwd"] == "${HERE}"
    assert data["services"]["s"]["ready"] == {"exec": ["y", "${V:-none}"]}
    assert data["connectors"]["c"]["hooks"] == {"on_failed": ["./h", "${V}"], "on_halt": ["${V}"]}
    assert data["connectors"]["c"]["health"] == {"startup": "${TIME}"}
    assert _text(_write(tmp_path, text), environ) == text


def test_what_a_variable_gives_in_a_file_that_is_extended_leads_where_it_did(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base/b").mkdir()
    (tmp_path / "base/base.yaml").write_text(
        "network: local\nbots: {b: {command: [x], cwd: './${V}'}, c: {command: [x], cwd: '${ROOT}'}}\n"
        "notify: {command: ['../${V}/x']}\n"
    )
    environ = {"V": "b", "ROOT": str(tmp_path / "sub")}
    text = _text(_write(tmp_path, "extends: base/base.yaml\nname: prod\n"), environ)
    data = yaml.safe_load(text)

    assert (data["bots"]["b"]["cwd"], data["bots"]["c"]["cwd"]) == ("base/${V}", "${ROOT}")
    assert data["notify"]["command"] == ["${V}/x"]


def test_everything_is_merged_into_the_units_and_nothing_else_is_said(tmp_path: Path) -> None:
    data = yaml.safe_load(_text(_write(tmp_path, _FULL)))

    assert not {"x-shared", "defaults", "env"} & data.keys()
    assert data["connectors"]["by"] == {
        "type": "bybit",
        "config": "by.toml",
        "cwd": "sub",
        "env": {"COMMON": "<redacted>", "RUST_LOG": "info"},
        "health": {"startup": "1m30s"},
        "restart": {"backoff": {"initial": "250ms"}, "max_age": "23h", "window": "03:00-04:00 UTC"},
    }
    assert data["connectors"]["bf"]["env"] == {"COMMON": "<redacted>", "RUST_LOG": "debug", "TOKEN": "<redacted>"}
    assert data["connectors"]["bf"]["resources"] == {
        "cpus": [3, 2],
        "scheduler": "fifo:10",
        "timer_slack": "1us",
        "limits": {"core": "unlimited", "nofile": 65536},
    }
    assert data["connectors"]["s"]["config"] == {
        "rate": 5,
        "symbols": ["${secret:a-key}", "${secret:c-key}"],
    }
    assert data["services"]["proxy"]["ready"] == {"tcp": "[::1]:3128"}
    assert data["bots"]["mm"]["attached"] is False
    assert data["bots"]["aa"]["package"] == "aa"
    assert "bin" not in data["bots"]["aa"]
    assert data["channel"] == {"buffer_size": 10000, "max_bots": 10}
    assert data["source"] == {"path": "up"}


def test_text_that_yaml_would_read_as_something_else_stays_text(tmp_path: Path) -> None:
    text = _text(_write(tmp_path, _FULL))
    read = loader.parse("x", text)

    assert read.at(("services", "proxy", "command")) == ["./p", "$$5", "on", "1e3", "0o17", "12:30"]


def test_files_that_mean_the_same_have_one_canonical_form(tmp_path: Path) -> None:
    plain = "network: local\nconnectors: {a: {type: sim}, b: {type: sim, config: {rate: 2, symbols: [x]}}}\n"
    other = (
        "x-base: &base {type: sim}\nversion: 1\nname: prod\nconnectors:\n  b:\n    config: {symbols: [x], rate: 2}\n"
        "    <<: *base\n    health: {startup: 10000ms}\n  a: *base\nnetwork: local\n"
    )

    assert _text(_write(tmp_path, plain)) == _text(_write(tmp_path, other))


def test_what_extends_a_file_has_the_form_of_the_whole(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base/base.yaml").write_text(
        "network: testnet\nenv: {TOKEN: '${TOKEN:?set it}'}\n"
        "connectors: {by: {type: bybit, config: by.toml, env: {PART: 'x${KEY}'}}}\n"
    )
    (tmp_path / "base/by.toml").write_text("")
    text = _text(_write(tmp_path, "extends: base/base.yaml\nname: prod\n"), {"TOKEN": "hunter2", "KEY": "hunter2"})
    by = yaml.safe_load(text)["connectors"]["by"]

    assert "hunter2" not in text
    assert by["config"] == "base/by.toml"
    assert by["env"] == {"PART": "<redacted>", "TOKEN": "${TOKEN:?set it}"}


def test_a_file_by_itself_keeps_variables_and_shows_no_secret_wherever_it_stands() -> None:
    document = loader.parse(
        "x",
        "x-a: &a {TOKEN: hunter2}\nsecret: hunter2\nbots:\n  b: {enviroment: *a, cwd: '${HOME}/b', "
        "config: hunter2, env: {<<: *a, KEY: '${KEY}'}}\nnetwork: local\n",
    )
    text = canonical.to_yaml(canonical.written(document, PUBLIC))

    assert "hunter2" not in text
    assert yaml.safe_load(text) == {
        "network": "local",
        "bots": {
            "b": {
                "config": "<redacted>",
                "cwd": "${HOME}/b",
                "env": {"KEY": "${KEY}", "TOKEN": "<redacted>"},
                "enviroment": {"TOKEN": "<redacted>"},
            }
        },
        "secret": "<redacted>",
    }


def test_what_a_stack_says_of_itself_is_no_secret(tmp_path: Path) -> None:
    said = {"require": {"git_clean": True, "branch": "main"}, "rollback": True, "allow_hosts": ["proxy.internal"]}
    text = yaml.safe_dump({"network": "local", **said, "bots": {"a": {"command": ["a"]}}})

    for shown in (_text(_write(tmp_path, text)), canonical.to_yaml(canonical.written(loader.parse("x", text), PUBLIC))):
        assert said.items() <= yaml.safe_load(shown).items()
    keys = loader.parse("x", "\n".join(f"{key}: [x]" for key in Stack.model_fields if key not in {"env", "secrets"}))
    assert "<redacted>" not in canonical.to_yaml(canonical.written(keys, PUBLIC))


@pytest.mark.parametrize("text", ["[]", "x", "{connectors: [1, {a: b}], bots: {b: 1}, env: x}", "1: 2"])
def test_a_file_by_itself_need_not_be_a_stack(text: str) -> None:
    assert canonical.to_yaml(canonical.written(loader.parse("x", text), PUBLIC))


@pytest.mark.parametrize("example", sorted(_STACKS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_canonical_form_of_every_example_means_the_same(example: Path, tmp_path: Path) -> None:
    text = _text(example)

    assert _text(_write(tmp_path, text)) == text
