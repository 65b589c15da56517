from __future__ import annotations

import errno
import hashlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.deployment import codec, digestkey
from orchestrator.deployment.homes import StackHome, locate
from orchestrator.deployment.model import Deployment, File
from orchestrator.observe.drift import drift
from tests.children import until
from tests.supervise.specs import connector, external, service

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ENVIRON = {"PATH": "/bin", "LANG": "C"}


class Deployed:
    """A stack that was brought in long ago, with a file, a program and a config."""

    def __init__(self, folder: Path) -> None:
        self.home: StackHome = locate({"HFTSTACK_HOME": str(folder / "h")}).stack("s")
        self.home.prepare()
        self.file, self.program, self.config = folder / "s.yaml", folder / "bot", self.home.configs / "c.toml"
        for path in (self.file, self.program, self.config):
            path.write_text(path.name)
        key = digestkey.own(self.home.home)
        keyed = File(str(self.config), digestkey.digest(key, b"c.toml"))
        spec = replace(connector("bf"), executable=_plain(self.program), files=(keyed,))
        self.deployment = Deployment(
            stack="s",
            file=str(self.file),
            network="local",
            units=(spec, replace(service("rest"), executable=_plain(self.program)), external("out")),
            sources=(File(str(self.file), digestkey.digest(key, b"s.yaml")),),
            inherited=tuple(ENVIRON.items()),
        )
        self.write()

    def write(self, seconds: float = 3600.0) -> None:
        """Write the record as if that many seconds from now: what was touched by then is as it was."""
        self.home.deployment.write_text(codec.encode(self.deployment))
        later = self.home.deployment.stat().st_mtime + seconds
        os.utime(self.home.deployment, (later, later))

    def told(self, *running: str, **environ: str) -> list[dict[str, Any]]:
        return drift(self.home, running or ("bf", "rest", "out"), {**ENVIRON, **environ})


def _plain(path: Path) -> File:
    return File(str(path), hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture
def deployed(tmp_path: Path) -> Deployed:
    return Deployed(tmp_path)


def test_what_was_not_touched_since_is_not_even_read(deployed: Deployed) -> None:
    deployed.program.write_text("changed, but the record is younger")

    assert deployed.told() == []


def test_what_was_touched_and_is_the_same_is_no_drift(deployed: Deployed) -> None:
    deployed.write(-3600)

    assert deployed.told() == []


def test_each_file_that_changed_is_told_once_for_each_unit_that_has_it(deployed: Deployed) -> None:
    deployed.write(-3600)
    for path in (deployed.file, deployed.program, deployed.config):
        path.write_text("changed")

    assert deployed.told() == [
        {"unit": None, "what": "file", "text": f"{deployed.file} has changed since `up`"},
        {"unit": "bf", "what": "binary", "text": f"{deployed.program} has changed since `up`"},
        {"unit": "bf", "what": "config", "text": f"{deployed.config} has changed since `up`"},
        {"unit": "rest", "what": "binary", "text": f"{deployed.program} has changed since `up`"},
    ]


def test_what_is_gone_is_told_whenever_it_went(deployed: Deployed) -> None:
    deployed.config.unlink()
    deployed.file.unlink()

    assert [item["text"] for item in deployed.told()] == [f"{deployed.file} is gone", f"{deployed.config} is gone"]


class Releases:
    """A stack in a release that a link leads to: `current`, which leads on to `stable`."""

    def __init__(self, deployed: Deployed, folder: Path) -> None:
        self._deployed = deployed
        self.file = folder / "current/s.yaml"
        (folder / "current").symlink_to("stable")
        self.stable = folder / "stable"
        for name in ("one", "two"):
            (folder / name).mkdir()
            (folder / name / "s.yaml").write_text(name)
        self.stable.symlink_to(folder / "one")
        deployed.deployment = replace(
            deployed.deployment, sources=(_plain(self.file),), units=deployed.deployment.units[2:]
        )
        self.began = max(path.lstat().st_ctime_ns for path in (self.stable, *folder.rglob("s.yaml")))

    def touched(self, path: Path, how: Callable[[], object]) -> list[str]:
        """Return the drift when a path alone was touched after the record was written."""
        until(lambda: how() is not None and path.lstat().st_ctime_ns > self.began + 10_000_000)
        self._deployed.write()
        at = path.lstat().st_ctime_ns + 10_000_000_000 - 5_000_000
        os.utime(self._deployed.home.deployment, ns=(at, at))
        return [item["text"] for item in self._deployed.told("out")]


def test_a_link_that_leads_to_another_release_is_followed_however_old_that_is(
    deployed: Deployed, tmp_path: Path
) -> None:
    releases = Releases(deployed, tmp_path)

    def lead(to: str) -> int:
        releases.stable.unlink()
        releases.stable.symlink_to(to)
        return 0

    assert releases.touched(releases.stable, lambda: lead("one")) == []
    assert releases.touched(releases.stable, lambda: lead("two")) == [f"{releases.file} has changed since `up`"]
    assert releases.touched(releases.stable, lambda: lead("stable")) == [
        f"{releases.file} cannot be read: {os.strerror(errno.ELOOP)}"
    ]
    assert releases.touched(releases.stable, lambda: lead("none")) == [f"{releases.file} is gone"]


def test_a_folder_that_was_put_in_the_place_of_another_is_looked_into(deployed: Deployed, tmp_path: Path) -> None:
    releases = Releases(deployed, tmp_path)
    one, two = tmp_path / "one", tmp_path / "two"
    one.rename(tmp_path / "gone")

    def swap() -> int:
        (two if two.exists() else one).rename(tmp_path / "on its way")
        (tmp_path / "on its way").rename(one)
        return 0

    assert releases.touched(one, swap) == [f"{releases.file} has changed since `up`"]


def test_code_that_changed_is_told_and_a_record_may_know_of_none(deployed: Deployed) -> None:
    script = deployed.file.with_name("mm.py")
    script.write_text("1")
    spec = replace(deployed.deployment.units[1], code=(_plain(script),))
    deployed.deployment = replace(deployed.deployment, units=(replace(spec, name="old", code=None), spec))
    deployed.write(-3600)
    assert deployed.told("old", "rest") == []
    script.write_text("2")

    assert deployed.told("old", "rest") == [
        {"unit": "rest", "what": "code", "text": f"{script} has changed since `up`"}
    ]


def test_an_environment_that_units_would_inherit_is_compared_and_no_other(deployed: Deployed) -> None:
    assert deployed.told(TERM="x", HOME="/x") == []
    (item,) = deployed.told(PATH="/other", LANG="de")

    assert (item["unit"], item["what"]) == (None, "environment")
    assert item["text"].startswith("LANG, PATH here are not what `up` had")
    assert "/other" not in item["text"]


def test_units_that_do_not_run_and_stacks_that_are_down_have_no_drift(deployed: Deployed) -> None:
    deployed.write(-3600)
    deployed.program.write_text("changed")

    assert {item["unit"] for item in deployed.told("rest")} == {"rest"}
    assert drift(deployed.home, (), {}) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"units": 3}', '{"units": [{}]}'])
def test_a_damaged_record_is_somebody_else_s_business(deployed: Deployed, text: str) -> None:
    deployed.home.deployment.write_text(text)

    assert deployed.told() == []
