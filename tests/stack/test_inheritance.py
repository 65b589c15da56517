from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.errors import StackError
from orchestrator.stack import load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.errors import Diagnostic
    from orchestrator.stack.model import Stack

BASE = """\
network: testnet
env: {A: base, B: base}
x-shared: &quick {backoff: {initial: 50ms}}
connectors:
  bf:
    type: binancefutures
    config: {stream_url: wss://fstream.binancefuture.com/ws, order_prefix: base}
    restart: {<<: *quick, limit: {restarts: 3}}
bots:
  mm: {command: [mm, base, old], depends_on: [bf]}
"""


class Files:
    """Files in one folder, of which stack.yaml is loaded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def load(self, text: str, environ: Mapping[str, str] | None = None) -> Stack:
        return load(self.write("stack.yaml", text), environ or {})

    def refused(self, text: str, environ: Mapping[str, str] | None = None) -> tuple[Diagnostic, ...]:
        with pytest.raises(StackError) as caught:
            self.load(text, environ)
        return caught.value.diagnostics

    def places(self, text: str) -> list[str]:
        """Return each mistake as `file:line:column pointer [rule]`."""
        return [
            f"{Path(m.file).relative_to(self.folder)}:{m.line}:{m.column} {m.pointer} [{m.rule}]"
            for m in self.refused(text)
        ]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_tables_are_merged_at_any_depth_and_everything_else_is_replaced(files: Files) -> None:
    files.write("base.yaml", BASE)

    stack = files.load("""\
extends: base.yaml
env: {B: own}
connectors:
  bf: {config: {order_prefix: own}, restart: {limit: {window: 1m}}}
  s: {type: sim}
bots: {mm: {command: [mm, new]}}
""")

    assert (stack.name, stack.network, stack.extends, stack.env) == (
        "stack",
        "testnet",
        None,
        {"A": "base", "B": "own"},
    )
    bf = stack.connectors["bf"]
    assert (bf.restart.limit.restarts, bf.restart.limit.window, bf.restart.backoff.initial) == (3, 60.0, 0.05)
    config = stack.config("bf")
    assert config is not None
    assert config.table == {"stream_url": "wss://fstream.binancefuture.com/ws", "order_prefix": "own"}
    assert (stack.bots["mm"].command, tuple(stack.bots["mm"].depends_on)) == (("mm", "new"), ("bf",))
    assert tuple(stack.connectors) == ("bf", "s")


def test_a_table_replaces_a_path_and_a_path_a_table(files: Files) -> None:
    files.write(
        "base.yaml", "network: local\nconnectors: {a: {type: sim, config: {rate: 1}}, b: {type: sim, config: b.toml}}"
    )
    files.write("a.toml", "rate = 2")

    stack = files.load("extends: base.yaml\nconnectors: {a: {config: a.toml}, b: {config: {rate: 3}}}")

    assert [config.table for name in "ab" if (config := stack.config(name))] == [{"rate": 2}, {"rate": 3}]


def test_files_extend_one_another_and_the_nearest_wins(files: Files) -> None:
    files.write("c.yaml", "network: local\nenv: {A: c, B: c, C: c}\nconnectors: {s: {type: sim}}")
    files.write("b.yaml", "extends: c.yaml\nenv: {A: b, B: b}")

    assert files.load("extends: b.yaml\nenv: {A: a}").env == {"A": "a", "B": "b", "C": "c"}


def test_a_file_that_is_extended_may_be_incomplete_by_itself(files: Files) -> None:
    files.write("base.yaml", "connectors: {bf: {health: {startup: 20s}}}")

    stack = files.load("extends: base.yaml\nnetwork: local\nconnectors: {bf: {type: sim}}")

    assert stack.connectors["bf"].health.startup == 20.0


def test_a_path_is_relative_to_the_file_that_holds_it(files: Files) -> None:
    files.write("common/work/.keep", "")
    files.write("common/bf.toml", "rate = 1")
    files.write(
        "common/base.yaml",
        """\
network: local
source: {path: tree}
secrets: {pem: {file: keys/pem}, key: {command: [./get, ./untouched]}, other: {command: [pass, show]}}
notify: {command: [./alert.sh, ./untouched]}
defaults: {hooks: {on_failed: [../page.sh]}}
connectors:
  bf: {type: sim, config: bf.toml, cwd: work, hooks: {on_halt: [../cancel, ./untouched]}}
  own: {type: sim, config: bf.toml}
bots: {mm: {command: [./mm.py], depends_on: [bf]}}
""",
    )
    files.write("own.toml", "rate = 2")

    stack = files.load("extends: common/base.yaml\nconnectors: {own: {config: own.toml}}")

    common = files.folder / "common"
    assert stack.source is not None
    assert stack.source.path == common / "tree"
    assert stack.secrets["pem"].file == common / "keys/pem"
    assert stack.secrets["key"].command == (f"{common}/get", "./untouched")
    assert stack.secrets["other"].command == ("pass", "show")
    assert stack.notify is not None
    assert stack.notify.command == (f"{common}/alert.sh", "./untouched")
    assert stack.connectors["bf"].cwd == common / "work"
    assert stack.connectors["bf"].hooks.on_failed == (f"{files.folder}/page.sh",)
    assert stack.connectors["bf"].hooks.on_halt == (f"{files.folder}/cancel", "./untouched")
    assert [config.path for name in ("bf", "own") if (config := stack.config(name))] == [
        common / "bf.toml",
        files.folder / "own.toml",
    ]
    assert (stack.bots["mm"].command, stack.bots["mm"].cwd) == (("./mm.py",), files.folder)


@pytest.mark.parametrize(("url", "found"), [("../tree", "tree"), ("https://example.org/tree", None)])
def test_a_repository_on_this_disk_is_relative_to_its_file_too(files: Files, url: str, found: str | None) -> None:
    commit = "5f3ec40b5ae0f5ab8eb4e8fd6e1b3b1d4c2a9e77"
    files.write("common/base.yaml", f"network: local\nsource: {{git: {url}, rev: {commit}}}\n")

    stack = files.load("extends: common/base.yaml\nconnectors: {bf: {type: sim}}")
    assert stack.source is not None
    assert stack.source.git == (url if found is None else str(files.folder / found))


def test_a_path_that_begins_with_a_variable_is_absolute_when_the_variable_is(files: Files) -> None:
    files.write("common/base.yaml", "network: local\nconnectors: {s: {type: sim, cwd: '${ROOT}/.'}}")

    stack = files.load("extends: common/base.yaml", {"ROOT": "/usr"})

    assert stack.connectors["s"].cwd == Path("/usr")


def test_a_mistake_is_told_where_its_text_stands(files: Files) -> None:
    files.write("base.yaml", BASE.replace("restarts: 3", "restarts: -3").replace("order_prefix: base", "a: '${NOT}'"))

    assert files.places("""\
extends: base.yaml
connectors:
  bf: {stop: {grace: 5}}
bots: {mm: {depends_on: [gone]}}
""") == [
        "base.yaml:7:65 /connectors/bf/config/a [variable-unset]",
        "base.yaml:8:45 /connectors/bf/restart/limit/restarts [out-of-range]",
        "stack.yaml:3:22 /connectors/bf/stop/grace [duration]",
        "stack.yaml:4:26 /bots/mm/depends_on/0 [unknown-unit]",
    ]  # fmt: skip


def test_what_is_replaced_is_not_judged_but_its_text_is(files: Files) -> None:
    files.write("base.yaml", "network: nowhere\nname: 007\nconnectors: {s: {type: sim, cwd: gone}}")

    assert files.places("extends: base.yaml\nnetwork: local\nname: a b\nconnectors: {s: {cwd: .}}") == [
        "base.yaml:2:7 /name [leading-zero]",
        "stack.yaml:3:7 /name [name]",
    ]


def test_a_config_of_a_base_is_read_beside_it_and_its_mistakes_are_its_own(files: Files) -> None:
    files.write(
        "common/base.yaml",
        "network: local\nconnectors: {s: {type: sim, config: s.toml}, t: {type: sim, config: t.toml}}",
    )
    files.write("common/s.toml", "a = \n")

    assert files.places("extends: common/base.yaml") == [
        "common/base.yaml:2:69 /connectors/t/config [config-file-missing]",
        "common/s.toml:1:5  [config-toml]",
    ]


@pytest.mark.parametrize(
    ("written", "others", "expected"),
    [
        ("gone.yaml", {}, ["stack.yaml:1:10 /extends [extends-file]"]),
        (".", {}, ["stack.yaml:1:10 /extends [extends-file]"]),
        ('"a\\0b"', {}, ["stack.yaml:1:10 /extends [control-character]"]),
        ("[base.yaml]", {}, ["stack.yaml:1:10 /extends [path]"]),
        ("''", {}, ["stack.yaml:1:10 /extends [path]"]),
        ("", {}, ["stack.yaml:1:9 /extends [path]"]),
        ("~/base.yaml", {}, ["stack.yaml:1:10 /extends [path]"]),
        ("${BASE:-a}.yaml", {}, ["stack.yaml:1:10 /extends [interpolation-forbidden]"]),
        ("stack.yaml", {}, ["stack.yaml:1:10 /extends [extends-cycle]"]),
        ("a.yaml", {"a.yaml": "extends: ./stack.yaml"}, ["a.yaml:1:10 /extends [extends-cycle]"]),
        ("a.yaml", {"a.yaml": "env: {}\nextends: gone.yaml"}, ["a.yaml:2:10 /extends [extends-file]"]),
        ("a.yaml", {"a.yaml": "- a"}, ["a.yaml:1:1  [wrong-type]"]),
        ("a.yaml", {"a.yaml": ""}, ["a.yaml:1:1  [empty-file]"]),
        ("a.yaml", {"a.yaml": "a: [1\nb"}, ["a.yaml:1:4  [yaml-syntax]"]),
        (
            "1.yaml",
            {f"{number}.yaml": f"extends: {number + 1}.yaml" for number in range(1, 20)},
            ["7.yaml:1:10 /extends [extends-depth]"],
        ),
    ],
)  # fmt: skip
def test_a_chain_that_is_broken_is_told_where(
    written: str, others: Mapping[str, str], expected: list[str], files: Files
) -> None:
    for name, text in others.items():
        files.write(name, text)

    assert files.places(f"extends: {written}\nnetwork: local") == expected


def test_a_base_that_is_not_utf8_is_named_with_its_own_place(files: Files) -> None:
    files.write("base.yaml", "").write_bytes(b"a: 1\nb: \xff")

    assert files.places("extends: base.yaml") == ["base.yaml:2:4  [file-encoding]"]


def test_mistakes_of_the_text_are_told_along_with_a_broken_chain(files: Files) -> None:
    assert files.places("name: 007\nextends: gone.yaml") == [
        "stack.yaml:1:7 /name [leading-zero]",
        "stack.yaml:2:10 /extends [extends-file]",
    ]


def test_the_way_of_a_cycle_is_named(files: Files) -> None:
    files.write("a.yaml", "extends: b.yaml")
    files.write("b.yaml", "extends: a.yaml")

    (mistake,) = files.refused("extends: a.yaml")

    assert mistake.message == "these extend each other: a.yaml -> b.yaml -> a.yaml"
    assert mistake.hint


def test_no_message_shows_a_secret_of_a_base(files: Files) -> None:
    files.write("base.yaml", "network: local\nconnectors: {s: {type: sim, config: {key: [hush]}, env: {A: [hush]}}}")

    assert "hush" not in str(files.refused("extends: base.yaml\nbots: {b: {}}"))


def test_what_begins_with_x_is_free_in_every_file_and_anchors_end_with_theirs(files: Files) -> None:
    files.write(
        "base.yaml", "x-a: &a {stop: {grace: 1s}}\nx-b: 007\nconnectors: {s: {type: sim, <<: *a}}".replace("007", "7")
    )

    stack = files.load("extends: base.yaml\nnetwork: local\nx-a: [anything, {at: all}]")

    assert stack.connectors["s"].stop.grace == 1.0
    assert [m.rule for m in files.refused("extends: base.yaml\nnetwork: local\nbots: {b: {<<: *a}}")] == ["yaml-alias"]
