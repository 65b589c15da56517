from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.deployment.homes import Home, locate
from orchestrator.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's, unlike pytest's."""
    with tempfile.TemporaryDirectory(prefix="hft-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return locate({"HFTSTACK_HOME": str(tmp_path / "home")})


def test_the_variable_moves_state_and_runtime_for_everybody() -> None:
    for uid in (0, 1000):
        home = locate({"HFTSTACK_HOME": "/srv/x/../hft", "XDG_STATE_HOME": "/s", "XDG_RUNTIME_DIR": "/r"}, uid)
        assert (home.state, home.runtime) == (Path("/srv/hft/state"), Path("/srv/hft/run"))


def test_a_relative_home_means_the_folder_that_it_names_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert locate({"HFTSTACK_HOME": "home"}) == locate({"HFTSTACK_HOME": str(tmp_path / "home")})


def test_root_has_the_systems_folders_whatever_its_environment_says() -> None:
    home = locate({"HOME": "/home/mia", "XDG_STATE_HOME": "/s", "XDG_RUNTIME_DIR": "/run/user/1000"}, 0)
    assert (home.state, home.runtime) == (Path("/var/lib/hftstack"), Path("/run/hftstack"))


def test_a_user_has_the_xdg_folders() -> None:
    home = locate({"HOME": "/home/mia", "XDG_STATE_HOME": "/s", "XDG_RUNTIME_DIR": "/run/user/1000"}, 1000)
    assert (home.state, home.runtime) == (Path("/s/hftstack"), Path("/run/user/1000/hftstack"))


def test_without_xdg_variables_the_defaults_hold() -> None:
    home = locate({"HOME": "/home/mia", "XDG_STATE_HOME": "relative/counts/as/unset"}, 1000)
    assert home.state == Path("/home/mia/.local/state/hftstack")
    assert home.runtime == Path("/tmp/hftstack-1000")


def test_locating_creates_nothing(home: Home, tmp_path: Path) -> None:
    assert home.stacks() == ()
    assert list(tmp_path.iterdir()) == []


def test_preparing_makes_private_folders_and_can_be_repeated(home: Home) -> None:
    stack = home.stack("prod")
    for _ in range(2):
        stack.prepare()
        for folder in (home.state, home.runtime, stack.state, stack.runtime, stack.logs, stack.binaries, stack.configs):
            assert folder.stat().st_mode & 0o7777 == 0o700


def test_a_folder_of_ours_that_others_could_read_is_closed(home: Home) -> None:
    home.runtime.mkdir(parents=True)
    home.runtime.chmod(0o755)
    home.stack("prod").prepare()
    assert home.runtime.stat().st_mode & 0o777 == 0o700


def test_stacks_are_those_with_a_state_folder(home: Home) -> None:
    for name in ("prod", "dev"):
        home.stack(name).prepare()
    (home.state / ".hidden").mkdir()
    (home.state / "file").touch()
    assert home.stacks() == ("dev", "prod")


def test_two_stacks_share_no_file(home: Home) -> None:
    one, two = home.stack("one"), home.stack("two")
    files = (
        "deployment",
        "intent",
        "before",
        "journal",
        "logs",
        "supervisor_log",
        "binaries",
        "socket",
        "units",
        "lock",
        "configs",
    )
    paths = {getattr(stack, name) for stack in (one, two) for name in files}
    assert len(paths) == 2 * len(files)


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "", "-x", "x" * 65, "a\nb"])
def test_what_cannot_be_a_stacks_name_reaches_no_path(home: Home, name: str) -> None:
    with pytest.raises(UsageError):
        home.stack(name)


def test_the_digest_tells_homes_apart_and_stays(tmp_path: Path) -> None:
    one, again, two = (locate({"HFTSTACK_HOME": str(tmp_path / name)}) for name in ("one", "one", "two"))
    assert one.digest == again.digest != two.digest


def test_a_socket_path_that_the_kernel_cannot_take_is_refused_with_the_cure(tmp_path: Path) -> None:
    base = tmp_path / "x"
    spare = 107 - len(os.fsencode(base / "run" / "s" / "control.sock"))
    fits = locate({"HFTSTACK_HOME": str(base) + "y" * spare}).stack("s")
    fits.prepare()
    assert len(os.fsencode(fits.socket)) == 107
    with pytest.raises(RefusedError) as caught:
        locate({"HFTSTACK_HOME": str(base) + "y" * (spare + 1)}).stack("s").prepare()
    assert "108 bytes" in caught.value.message
    assert "HFTSTACK_HOME" in (caught.value.hint or "")


def test_a_link_in_a_folder_that_anybody_may_write_to_is_refused(tmp_path: Path) -> None:
    public = tmp_path / "public"
    public.mkdir()
    public.chmod(0o1777)
    (tmp_path / "trap").mkdir()
    (public / "hftstack-1000").symlink_to(tmp_path / "trap")
    home = Home(tmp_path / "state", public / "hftstack-1000", os.geteuid())
    with pytest.raises(RefusedError, match="not a folder of its own"):
        home.stack("prod").prepare()
    assert list((tmp_path / "trap").iterdir()) == []


def test_a_link_in_a_folder_of_ours_is_the_users_own_choice(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "disk")
    Home(tmp_path / "state", tmp_path / "run", os.geteuid()).stack("prod").prepare()
    assert (tmp_path / "disk" / "prod" / "logs").is_dir()


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    home = Home(tmp_path / "state", tmp_path / "run", os.geteuid() + 1)
    with pytest.raises(RefusedError, match="belongs to"):
        home.stack("prod").prepare()


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    with pytest.raises(RefusedError) as caught:
        locate({"HFTSTACK_HOME": str(tmp_path / "home")}).stack("prod").prepare()
    assert "HFTSTACK_HOME" in (caught.value.hint or "")
