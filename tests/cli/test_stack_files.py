"""Stack files that are wrong: one message each, the right exit code, nothing started."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.harness import Done, Machine

_SIM = "network: local\nconnectors: {a: {type: sim}}\n"


def _refused(done: Done, machine: Machine, *said: str, code: int = 3) -> None:
    assert done.code == code, done.said
    for text in said:
        assert text in done.err
    assert done.err.count(said[0]) == 1
    assert "Traceback" not in done.said
    assert machine.processes() == {}
    assert not machine.runtime.exists()


def test_a_valid_file_is_said_to_be_valid(machine: Machine) -> None:
    machine.file.write_text(_SIM + "bots: {mm: {type: sim, depends_on: [a]}}\n")
    done = machine.hftstack("validate", "s.yaml")

    assert (done.code, done.out, done.err) == (0, "s.yaml: s is valid: local, 1 connector, 1 bot\n", "")


def test_every_mistake_is_told_at_once_with_its_place(machine: Machine) -> None:
    machine.file.write_text(
        "network: moon\nconnectors:\n  a: {type: sim, nonsense: 1}\nbots:\n  b: {depends_on: [zz]}\n"
    )
    done = machine.hftstack("validate", "s.yaml")

    _refused(done, machine, "s.yaml:1:10: /network", "s.yaml:3:18: /connectors/a/nonsense", "s.yaml:5:3: /bots/b")
    assert done.out == ""
    assert done.err.rstrip().splitlines()[-1] == "4 errors."


@pytest.mark.parametrize("verb", ["validate", "build", "up"])
def test_a_broken_file_stops_every_verb_in_the_same_way(machine: Machine, verb: str) -> None:
    machine.file.write_text(_SIM + "bots: {b: {type: sim, restart: {policy: no}}}\n")

    _refused(machine.hftstack(verb, "s.yaml"), machine, "s.yaml:3:41: /bots/b/restart/policy", "never")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"network: local\nconnectors: {a: {type: s\xffm}}\n", "s.yaml:2:25: the file is not UTF-8"),
        (b"network: local\nconnectors:\n\ta: {type: sim}\n", "s.yaml:3:1: "),
        (b"[" * 100_000, "nested"),
        (b"", "the file is empty"),
        (b"network: local\nx-big: '" + b"x" * 10_000_000 + b"'\n", "s.yaml:1:1: the file is larger than 4 MiB"),
        (
            b"x-0: &a0 [x, x, x, x, x, x, x, x, x]\n"
            + b"".join(b"x-%d: &a%d [%s]\n" % (i, i, b", ".join([b"*a%d" % (i - 1)] * 9)) for i in range(1, 10))
            + b"network: local\n",
            "those of aliases counted at each use",
        ),
    ],
    ids=["bytes that are not UTF-8", "a tab", "brackets", "nothing", "ten megabytes", "an alias bomb"],
)
def test_what_is_no_stack_file_is_named_and_nothing_starts(machine: Machine, content: bytes, said: str) -> None:
    machine.file.write_bytes(content)
    done = machine.hftstack("up", "s.yaml")

    _refused(done, machine, said)
    assert done.err.rstrip().endswith("1 error.")
    assert len(done.err) < 1000


def test_a_folder_instead_of_a_file_is_named(machine: Machine) -> None:
    _refused(machine.hftstack("up", "."), machine, "this is a directory, not a file")


def test_a_file_that_is_not_there_is_named(machine: Machine) -> None:
    _refused(machine.hftstack("up", "nope.yaml"), machine, "nope.yaml")


def test_a_config_that_is_not_there_is_named_where_the_stack_file_names_it(machine: Machine) -> None:
    machine.file.write_text("network: local\nconnectors: {a: {type: sim, config: nope.toml}}\n")

    _refused(machine.hftstack("up", "s.yaml"), machine, "s.yaml:2:37: /connectors/a/config", "nope.toml")


def test_a_config_that_is_no_toml_is_named_with_its_own_line(machine: Machine) -> None:
    machine.file.write_text("network: local\nconnectors: {a: {type: sim, config: a.toml}}\n")
    (machine.folder / "a.toml").write_text("rate = 1\nsymbols = [\n")

    _refused(machine.hftstack("up", "s.yaml"), machine, "a.toml:", "TOML")


def test_a_program_that_is_not_there_is_named_and_nothing_starts(machine: Machine) -> None:
    machine.write(connectors={"a": {"type": "sim"}}, bots={"mm": {"command": ["no-such-program"], "depends_on": ["a"]}})
    done = machine.hftstack("up", "s.yaml")

    assert done.code == 3
    assert "mm: there is no program 'no-such-program' on the PATH" in done.err
    assert machine.processes() == {}
    status = machine.hftstack("status", "s")
    assert (status.code, status.out) == (5, "nothing of s is deployed: hftstack up FILE starts it\n")


def test_a_stack_of_simulators_needs_nothing_of_cargo(machine: Machine) -> None:
    machine.file.write_text(_SIM)
    done = machine.hftstack("build", "s.yaml", env={"PATH": "/nonexistent"})

    assert (done.code, done.out) == (0, "s needs nothing of cargo\n")


def _workspace(machine: Machine, main: str = "fn main() {}") -> None:
    """Write a cargo workspace without dependencies, and a stack of one connector of it."""
    crate = machine.folder / "ws" / "connector"
    (crate / "src").mkdir(parents=True)
    (machine.folder / "ws" / "Cargo.toml").write_text('[workspace]\nresolver = "2"\nmembers = ["connector"]\n')
    (crate / "Cargo.toml").write_text(
        '[package]\nname = "connector"\nversion = "0.1.0"\nedition = "2021"\n\n'
        '[features]\ndefault = ["bybit"]\nbybit = []\n'
    )
    (crate / "src" / "main.rs").write_text(main)
    streams = dict.fromkeys(("public_url", "private_url", "trade_url"), "ws://127.0.0.1:1/v5")
    urls, empty = {**streams, "rest_url": "http://127.0.0.1:1"}, ("api_key", "secret", "order_prefix")
    machine.write(
        source={"path": "ws"},
        build={"profile": "dev"},
        connectors={"bf": {"type": "bybit", "config": {**urls, **dict.fromkeys(empty, ""), "category": "linear"}}},
    )


@pytest.fixture
def cargo() -> dict[str, str]:
    """The variables with which the user's own cargo is found."""
    if shutil.which("cargo") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("cargo is not installed")
        pytest.skip("cargo is not installed")
    kept = {key: os.environ[key] for key in ("CARGO_HOME", "RUSTUP_HOME") if key in os.environ}
    return {**kept, "CARGO_NET_OFFLINE": "true"}


def test_build_says_what_it_built_and_then_that_nothing_is_to_do(machine: Machine, cargo: dict[str, str]) -> None:
    _workspace(machine)
    first = machine.hftstack("build", "s.yaml", env=cargo)
    second = machine.hftstack("build", "s.yaml", env=cargo)

    assert (first.code, second.code) == (0, 0), first.said + second.said
    assert first.out.startswith("built     connector [bybit]  ")
    assert "compiled, " in first.out
    assert "up to date, " in second.out
    assert first.out.split()[3] == second.out.split()[3]


@pytest.mark.parametrize("verb", ["build", "up"])
def test_what_does_not_compile_is_shown_in_full_and_ends_with_4(
    machine: Machine, cargo: dict[str, str], verb: str
) -> None:
    _workspace(machine, "fn main() { let x: u8 = nonsense; }")
    done = machine.hftstack(verb, "s.yaml", env=cargo)

    assert done.code == 4, done.said
    assert "cannot find value `nonsense` in this scope" in done.err
    assert "connector/src/main.rs:1:" in done.err
    assert machine.processes() == {}


def test_a_feature_that_the_manifest_lacks_ends_with_4_and_names_those_it_has(
    machine: Machine, cargo: dict[str, str]
) -> None:
    _workspace(machine)
    machine.file.write_text(machine.file.read_text().replace("type: bybit", "type: bybit\n    features: [nope]"))
    done = machine.hftstack("build", "s.yaml", env=cargo)

    assert done.code == 4, done.said
    assert "nope" in done.err
    assert "bybit" in done.err


def test_without_cargo_the_cure_is_named(machine: Machine) -> None:
    _workspace(machine)
    done = machine.hftstack("build", "s.yaml", env={"PATH": "/nonexistent", "HOME": "/nonexistent"})

    assert done.code == 4, done.said
    assert "cargo" in done.err
    assert "rustup" in done.err


def test_no_build_without_an_earlier_build_says_so(machine: Machine) -> None:
    _workspace(machine)
    done = machine.hftstack("up", "s.yaml", "--no-build")

    assert done.code == 4, done.said
    assert "Traceback" not in done.err
    assert machine.processes() == {}


def test_status_in_json_is_one_object_for_a_stack_that_is_down(machine: Machine) -> None:
    machine.write(services={"rest": {"command": ["sleep", "1000"]}})
    machine.up()
    machine.down()
    done = machine.hftstack("status", "s", "--format", "json")
    found = json.loads(done.out)

    assert done.code == 5
    assert (found["stack"], found["supervised"], found["supervisor"]) == ("s", False, None)
    assert [(unit["name"], unit["state"], unit["pid"]) for unit in found["units"]] == [("rest", "stopped", None)]
