from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.channel import ChannelConfigError, Location, locate

if TYPE_CHECKING:
    from pathlib import Path


def _write(directory: Path, content: str | bytes) -> Path:
    file = directory / "iceoryx2.toml"
    directory.mkdir(parents=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert locate(tmp_path, tmp_path) == Location("/tmp/iceoryx2", "iox2_", None)


@pytest.mark.parametrize("key", ["root-path-unix", "root-path"])
def test_both_spellings_of_the_root_are_read(tmp_path: Path, key: str) -> None:
    file = _write(tmp_path / "config", f'[global]\n{key} = "/srv/iox/"\nprefix = "a_"\n')
    assert locate(tmp_path, None) == Location("/srv/iox", "a_", str(file))


@pytest.mark.parametrize(("key", "root"), [("root-path-unix", "/tmp/iceoryx2"), ("root-path", "/srv/iox")])
def test_a_later_version_knows_nothing_of_the_old_spelling(tmp_path: Path, key: str, root: str) -> None:
    _write(tmp_path / "config", f'[global]\n{key} = "/srv/iox"\n')
    assert locate(tmp_path, None, modern=True).root == root


def test_the_working_directory_wins_over_the_home(tmp_path: Path) -> None:
    work, home = tmp_path / "work", tmp_path / "home"
    work.mkdir()
    _write(home / ".config/iceoryx2", '[global]\nprefix = "home_"\n')
    assert locate(work, home).prefix == "home_"
    _write(work / "config", '[global]\nprefix = "work_"\n')
    assert locate(work, home).prefix == "work_"


def test_a_file_hides_the_next_one_even_for_keys_it_lacks(tmp_path: Path) -> None:
    _write(tmp_path / "config", "[defaults]\n")
    _write(tmp_path / ".config/iceoryx2", '[global]\nprefix = "home_"\n')
    assert locate(tmp_path, tmp_path).prefix == "iox2_"


def test_a_relative_root_is_taken_from_the_working_directory(tmp_path: Path) -> None:
    _write(tmp_path / "config", '[global]\nroot-path-unix = "iox"\n')
    assert locate(tmp_path, None).root == str(tmp_path / "iox")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[global", "not valid TOML"),
        (b"\xff\xfe", "not valid TOML"),
        ("global = 3", "global is not a table"),
        ("[global]\nprefix = 3", "prefix is not a string"),
        ("[global]\nroot-path = []", "root-path is not a string"),
        ('[global]\nroot-path = "/a"\nroot-path-unix = "/b"', "would not meet"),
        ('[global.node]\ndirectory = "knots"', "global.node.directory is 'knots'"),
        ('[global.service]\nconnection-suffix = ".con"', "global.service.connection-suffix"),
    ],
)
def test_a_file_that_cannot_be_followed_is_named(tmp_path: Path, content: str | bytes, message: str) -> None:
    file = _write(tmp_path / "config", content)
    with pytest.raises(ChannelConfigError, match=message) as caught:
        locate(tmp_path, None)
    assert caught.value.where == str(file)
    assert caught.value.exit_code == 3


def test_nesting_without_end_is_an_error_and_no_crash(tmp_path: Path) -> None:
    _write(tmp_path / "config", "a = " + "[" * 100_000)
    with pytest.raises(ChannelConfigError, match="not valid TOML"):
        locate(tmp_path, None)


def test_a_directory_in_the_place_of_the_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "config/iceoryx2.toml").mkdir(parents=True)
    with pytest.raises(ChannelConfigError, match="Is a directory"):
        locate(tmp_path, None)
