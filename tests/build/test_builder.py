from __future__ import annotations

import hashlib
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator import build
from orchestrator.build import CONNECTOR, Program
from orchestrator.errors import BuildError

if TYPE_CHECKING:
    from tests.build.conftest import Workspace


def output(binary: Path, *arguments: str) -> list[str]:
    done = subprocess.run([binary, *arguments], capture_output=True, check=True, text=True, stdin=subprocess.DEVNULL)
    return done.stdout.split()


def test_the_connector_is_built_with_the_union_of_features_and_stored_by_digest(workspace: Workspace) -> None:
    result = build.ensure(workspace.request("bybit"), environ=workspace.environ)
    stored = result.binaries[CONNECTOR]
    assert output(stored.path) == ["binancefutures", "bybit"]
    assert stored.path == workspace.store / stored.sha256 / "connector"
    assert hashlib.sha256(stored.path.read_bytes()).hexdigest() == stored.sha256
    assert result.rebuilt
    assert result.workspace == workspace.root


def test_without_default_features_only_those_asked_for_are_in(workspace: Workspace) -> None:
    result = build.ensure(workspace.request("bybit", default_features=False), environ=workspace.environ)
    assert output(result.binaries[CONNECTOR].path) == ["bybit"]


def test_a_second_build_of_an_unchanged_tree_is_up_to_date(workspace: Workspace) -> None:
    first = build.ensure(workspace.request(), environ=workspace.environ)
    said: list[build.Progress] = []
    second = build.ensure(workspace.request(), environ=workspace.environ, progress=said.append)
    assert not second.rebuilt
    assert second.binaries == first.binaries
    assert said[-1].what == "up to date"


def test_a_missing_feature_is_named_beside_those_there_are(workspace: Workspace) -> None:
    with pytest.raises(BuildError) as caught:
        build.ensure(workspace.request("bybit", "okx"), environ=workspace.environ)
    assert "'okx'" in caught.value.message
    assert "'bybit'" not in caught.value.message
    assert caught.value.hint == "it has binancefutures, bybit, default"


def test_the_compilers_errors_arrive_in_full(workspace: Workspace) -> None:
    workspace.write("connector/src/main.rs", "fn main() { nonsense(); let _: u8 = true; }")
    with pytest.raises(BuildError) as caught:
        build.ensure(workspace.request(), environ=workspace.environ)
    detail = caught.value.detail or ""
    assert "cannot find function `nonsense`" in detail
    assert "connector/src/main.rs:1:13" in detail
    assert "\x1b" not in detail
    assert "Building [" not in detail
    assert caught.value.exit_code == 4


def test_a_failing_build_script_is_quoted(workspace: Workspace) -> None:
    workspace.write("connector/build.rs", 'fn main() { panic!("the moon is in the wrong phase"); }')
    with pytest.raises(BuildError) as caught:
        build.ensure(workspace.request(), environ=workspace.environ)
    assert "the moon is in the wrong phase" in (caught.value.detail or "")


def test_features_that_need_the_defaults_say_so_when_they_do_not_compile(workspace: Workspace) -> None:
    workspace.write(
        "connector/src/main.rs",
        """
        use crate::binancefutures::VENUE;
        #[cfg(feature = "binancefutures")]
        mod binancefutures { pub const VENUE: &str = "binancefutures"; }
        fn main() { println!("{VENUE}"); }
        """,
    )
    with pytest.raises(BuildError) as caught:
        build.ensure(workspace.request("bybit", default_features=False), environ=workspace.environ)
    assert "E0432" in (caught.value.detail or "")
    assert "default_features: true" in (caught.value.hint or "")


def test_a_rustc_older_than_the_manifest_asks_is_named_with_both_versions(workspace: Workspace) -> None:
    workspace.package("connector", 'rust-version = "1.999"')
    with pytest.raises(BuildError) as caught:
        build.ensure(workspace.request(), environ=workspace.environ)
    assert "is too old" in caught.value.message
    assert "1.999" in caught.value.message
    assert "rustup update" in (caught.value.hint or "")


def test_an_edition_that_this_cargo_does_not_know_means_an_old_cargo(workspace: Workspace) -> None:
    manifest = workspace.root / "connector" / "Cargo.toml"
    manifest.write_text(manifest.read_text().replace('"2021"', '"2099"'))
    with pytest.raises(BuildError) as caught:
        build.ensure(workspace.request(), environ=workspace.environ)
    assert caught.value.message == "this cargo is too old for the workspace"


def test_a_tree_without_lock_file_is_built_with_a_warning_and_locked_from_then_on(workspace: Workspace) -> None:
    first = build.ensure(workspace.request(), environ=workspace.environ)
    assert any("Cargo.lock" in warning for warning in first.warnings)
    assert build.ensure(workspace.request(), environ=workspace.environ).warnings == ()
    workspace.package("another")
    with pytest.raises(BuildError) as caught:
        build.ensure(workspace.request(), environ=workspace.environ)
    assert "Cargo.lock does not fit" in caught.value.message
    build.ensure(workspace.request(locked=False), environ=workspace.environ)


def test_programs_of_the_workspace_are_built_beside_the_connector(workspace: Workspace) -> None:
    workspace.package(
        "bot", '[features]\ndefault = ["loud"]\nloud = []\n', 'fn main() { print!("{}", cfg!(feature = "loud")); }'
    )
    bot = Program("bot")
    request = workspace.request("bybit", programs=(CONNECTOR, bot), default_features=False)
    result = build.ensure(request, environ=workspace.environ)
    assert output(result.binaries[bot].path) == ["true"]
    assert output(result.binaries[CONNECTOR].path) == ["bybit"]


def test_a_program_is_built_without_any_connector(workspace: Workspace) -> None:
    workspace.package("exchange", main='fn main() { print!("open"); }')
    result = build.ensure(workspace.request(programs=(Program("exchange"),)), environ=workspace.environ)
    assert output(result.binaries[Program("exchange")].path) == ["open"]


def test_one_of_several_binaries_has_to_be_chosen_by_name(workspace: Workspace) -> None:
    workspace.package("tools")
    workspace.write("tools/src/main.rs", "").unlink()
    workspace.write("tools/src/bin/one.rs", 'fn main() { print!("1"); }')
    workspace.write("tools/src/bin/two.rs", 'fn main() { print!("2"); }')
    two = Program("tools", "two")
    result = build.ensure(workspace.request(programs=(two,)), environ=workspace.environ)
    assert output(result.binaries[two].path) == ["2"]
    with pytest.raises(BuildError, match="several binaries"):
        build.ensure(workspace.request(programs=(Program("tools"),)), environ=workspace.environ)
    with pytest.raises(BuildError, match="no binary 'three'"):
        build.ensure(workspace.request(programs=(Program("tools", "three"),)), environ=workspace.environ)


def test_an_unknown_package_is_answered_with_those_there_are(workspace: Workspace) -> None:
    with pytest.raises(BuildError) as caught:
        build.ensure(workspace.request(programs=(Program("exchange"),)), environ=workspace.environ)
    assert "'exchange'" in caught.value.message
    assert caught.value.hint == "it has connector"


def test_a_running_binary_is_left_alone_by_the_next_build(workspace: Workspace) -> None:
    workspace.write(
        "connector/src/main.rs", 'fn main() { std::io::read_to_string(std::io::stdin()).unwrap(); print!("1"); }'
    )
    old = build.ensure(workspace.request(), environ=workspace.environ).binaries[CONNECTOR]
    with subprocess.Popen([old.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        workspace.write("connector/src/main.rs", 'fn main() { print!("2"); }')
        new = build.ensure(workspace.request(), environ=workspace.environ).binaries[CONNECTOR]
        assert Path(f"/proc/{running.pid}/exe").readlink() == old.path
        assert running.communicate()[0] == b"1"
    assert output(new.path) == ["2"]
    assert hashlib.sha256(old.path.read_bytes()).hexdigest() == old.sha256


def test_progress_counts_up_to_its_total_and_names_what_is_built(workspace: Workspace) -> None:
    workspace.write("connector/build.rs", "fn main() { std::thread::sleep(std::time::Duration::from_millis(1500)); }")
    said: list[build.Progress] = []
    build.ensure(workspace.request(), environ=workspace.environ, progress=said.append)
    counted = [progress for progress in said if progress.total]
    assert any("connector" in progress.what and progress.done < progress.total for progress in counted)
    assert [progress.done for progress in counted] == sorted(progress.done for progress in counted)
    assert counted[-1].done == counted[-1].total


def test_rustflags_reach_the_compiler_whole(workspace: Workspace) -> None:
    workspace.write("connector/src/main.rs", 'fn main() { print!("{}", cfg!(mark = "a b")); }')
    request = workspace.request(rustflags=("--cfg", 'mark="a b"'))
    result = build.ensure(request, environ=workspace.environ)
    assert output(result.binaries[CONNECTOR].path) == ["true"]


def test_the_stacks_build_environment_wins_over_the_callers(workspace: Workspace, tmp_path: Path) -> None:
    request = replace(workspace.request(), env={"CARGO_TARGET_DIR": str(tmp_path / "elsewhere")})
    build.ensure(request, environ={**workspace.environ, "CARGO_TARGET_DIR": str(tmp_path / "wrong")})
    assert (tmp_path / "elsewhere" / "release").is_dir()
    assert not (tmp_path / "wrong").exists()


def test_an_executable_is_found_wherever_cargo_puts_it(workspace: Workspace) -> None:
    workspace.write(".cargo/config.toml", '[build]\ntarget-dir = "out/of/the/way"\n')
    result = build.ensure(replace(workspace.request(), profile="dev"), environ=workspace.environ)
    assert output(result.binaries[CONNECTOR].path) == ["binancefutures"]
    assert not (workspace.root / "target").exists()


def test_without_cargo_the_way_to_install_it_is_shown(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(BuildError) as caught:
        build.ensure(workspace.request(), environ={"PATH": str(tmp_path), "HOME": str(tmp_path)})
    assert caught.value.message == "cargo is not installed"
    assert "rustup" in (caught.value.hint or "")


def test_libclang_is_demanded_only_by_a_graph_that_loads_it(workspace: Workspace, tmp_path: Path) -> None:
    nowhere = {**workspace.environ, "LIBCLANG_PATH": str(tmp_path)}
    build.ensure(workspace.request(), environ=nowhere)
    workspace.package("clang-sys")
    workspace.write("clang-sys/src/lib.rs", "")
    build.ensure(workspace.request(locked=False), environ=nowhere)
    workspace.package("connector", '[build-dependencies]\nclang-sys = { path = "../clang-sys" }\n')
    with pytest.raises(BuildError) as caught:
        build.ensure(workspace.request(locked=False), environ=nowhere)
    assert "libclang" in caught.value.message
    assert "libclang-dev" in (caught.value.hint or "")


def test_without_a_store_a_binary_stays_where_cargo_put_it(workspace: Workspace) -> None:
    request = replace(workspace.request(), store=None)
    built = build.ensure(request, environ=workspace.environ).binaries[CONNECTOR]

    assert built.path == workspace.root / "target/release/connector"
    assert built.sha256 == hashlib.sha256(built.path.read_bytes()).hexdigest()
    assert not workspace.store.exists()


def test_what_is_asked_for_again_is_compiled_although_nothing_changed(workspace: Workspace) -> None:
    build.ensure(workspace.request(), environ=workspace.environ)

    assert not build.ensure(workspace.request(), environ=workspace.environ).rebuilt
    assert build.ensure(replace(workspace.request(), again=True), environ=workspace.environ).rebuilt


def test_a_build_script_sees_no_variable_that_holds_a_secret(workspace: Workspace) -> None:
    seen = 'println!("cargo:rustc-env=SEEN={}", std::env::vars().filter(|(key, _)| key.starts_with("T_")).count());'
    workspace.write("connector/build.rs", f"fn main() {{ {seen} }}")
    workspace.write("connector/src/main.rs", 'fn main() { println!("{}", env!("SEEN")); }')
    request = replace(workspace.request(), hidden=frozenset({"T_SECRET"}))
    result = build.ensure(request, environ={**workspace.environ, "T_SECRET": "hush", "T_OTHER": "x"})
    assert output(result.binaries[CONNECTOR].path) == ["1"]
