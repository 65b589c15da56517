"""What a pull request is told: nothing that a stack file says changes unseen."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, Final

import pytest

from orchestrator.channel.location import ChannelConfigError
from orchestrator.deployment.plan import Process
from orchestrator.engine.between import between
from orchestrator.stack.model import Bot, Connector, Service, Stack

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.deployment.plan import Plan

FILE: Final = "prod.yaml"
ICEORYX2: Final = "config/iceoryx2.toml"
_URLS: Final = {
    "stream_url": "wss://proxy.internal/ws",
    "api_url": "https://proxy.internal",
    "order_prefix": "a",
}
_KEYS: Final = {"api_key": "${secret:k}", "secret": "${secret:s}"}
_STACK: Final[dict[str, Any]] = {
    "version": 1,
    "network": "testnet",
    "allow_hosts": ["proxy.internal"],
    "source": {"git": "https://example.org/a.git", "rev": "a" * 40},
    "secrets": {"k": {"env": "K"}, "s": {"env": "S"}},
    "notify": {"command": ["./alert.sh", "x"]},
    "connectors": {
        "bf": {"type": "binancefutures", "config": _URLS | _KEYS},
        "own": {"type": "mine", "config": {"speed": 1}, "external": True},
        "sim": {"type": "sim", "config": {"rate": 1}},
    },
    "services": {"px": {"command": ["./px"]}, "rec": {"package": "rec"}},
    "bots": {
        "mm": {"command": ["./mm"], "depends_on": ["bf"]},
        "quoter": {"package": "quoter"},
        "sims": {"type": "sim", "config": {}, "depends_on": ["sim"]},
    },
}
_UNIT: Final[dict[str, Any]] = {
    "cwd": "below",
    "env": {"A": "1"},
    "depends_on": ["bf"],
    "health": {"startup": "11s"},
    "restart": {"stable": "61s"},
    "stop": {"grace": "6s"},
    "resources": {"nice": 1},
    "hooks": {"on_failed": ["./page.sh"]},
    "logs": {"max_size": "17MiB"},
    "ignore": {"shared-core": "it may wait"},
}
_CHANGES: Final[dict[str, dict[str, Any]]] = {
    "": {
        "name": "stage",
        "network": "demo",
        "allow_hosts": ["proxy.internal", "other.internal"],
        "source": {"git": "https://example.org/a.git", "rev": "b" * 40},
        "build": {"profile": "dev"},
        "rollback": True,
        "require": {"branch": "main"},
        "channel": {"max_bots": 3},
        "env": {"A": "1"},
        "secrets": {"k": {"env": "OTHER_ACCOUNT_K"}, "s": {"env": "S"}},
        "notify": None,
        "defaults": {"logs": {"max_size": "17MiB"}},
        "connectors": {name: _STACK["connectors"][name] for name in ("bf", "sim")},
        "services": {},
        "bots": {},
    },
    "connectors/bf": _UNIT
    | {
        "type": "mine",
        "features": ["binancefutures", "more"],
        "config": {**_URLS, **_KEYS, "order_prefix": "b"},
        "external": True,
        "depends_on": ["px"],
    },
    "services/px": _UNIT | {"command": ["./px", "-v"], "ready": {"tcp": "127.0.0.1:1"}},
    "services/rec": {"package": "quoter", "bin": "faster", "args": ["1"]},
    "bots/mm": _UNIT | {"command": ["./mm", "-v"], "attached": False, "depends_on": []},
    "bots/quoter": {"package": "rec", "bin": "faster", "args": ["1"]},
    "bots/sims": {"config": {"faults": {}}},
}
"""What becomes of each key, by where it stands; None: it is removed."""


def _git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run([shutil.which("git") or "git", *who, *words], cwd=folder, check=True, capture_output=True)


class _Repository:
    """A repository of stack files; each commit is a tag."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        _git(folder, "init", "-q", "-b", "main")

    def commit(self, tag: str, files: dict[str, Any]) -> None:
        """Commit files by path, whose content is text or the data of a stack."""
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        _git(self.folder, "add", ".")
        _git(self.folder, "commit", "-q", "--allow-empty", "-m", "a change")
        _git(self.folder, "tag", "-f", tag)

    def plan(self, name: str) -> Plan:
        return between("old", "new", self.folder / name, os.environ)


_CASES: Final = [(where, key) for where, keys in _CHANGES.items() for key in keys]


def _file(where: str, key: str) -> str:
    return f"{where.replace('/', '-')}-{key}.yaml"


@pytest.fixture(scope="module")
def changes(tmp_path_factory: pytest.TempPathFactory) -> _Repository:
    """A repository with a stack file for each change, all of them committed at once."""
    made = _Repository(tmp_path_factory.mktemp("changes"))
    made.commit("old", {"below/a": ""} | {_file(*case): {"name": "prod", **_STACK} for case in _CASES})
    changed = {_file(where, key): _changed(where, key, _CHANGES[where][key]) for where, key in _CASES}
    made.commit("new", {file: {"name": "prod", **stack} for file, stack in changed.items()})
    return made


@pytest.fixture
def repository(tmp_path: Path) -> _Repository:
    return _Repository(tmp_path)


def _changed(where: str, key: str, value: object) -> dict[str, Any]:
    stack = copy.deepcopy(_STACK)
    table = stack
    for part in where.split("/") if where else ():
        table = table[part]
    table.pop(key, None)
    if value is not None:
        table[key] = copy.deepcopy(value)
    return stack


def _told(plan: Plan, unit: str | None = None) -> list[tuple[str, str | None, str | None]]:
    changes = plan.settings if unit is None else next(step for step in plan.steps if step.unit == unit).changes
    return [(change.field, change.old, change.new) for change in changes]


@pytest.mark.parametrize(("where", "key"), _CASES)
def test_whatever_key_of_a_stack_changes_is_told(changes: _Repository, where: str, key: str) -> None:
    assert not changes.plan(_file(where, key)).is_empty


def test_no_key_is_left_out_there_but_for_one_that_has_one_value() -> None:
    changed = {
        part: {key for where, keys in _CHANGES.items() if where.startswith(part) for key in keys}
        for part in ("connectors", "services", "bots")
    }
    told = {
        part: {field.alias or name for name, field in model.model_fields.items()}
        for part, model in (("connectors", Connector), ("services", Service), ("bots", Bot))
    }

    assert changed | {"bots": changed["bots"] | {"type"}} == told
    assert set(_CHANGES[""]) == set(Stack.model_fields) - {"version", "extends"}


def test_another_account_behind_the_same_reference_restarts_what_trades_on_it(repository: _Repository) -> None:
    file = {"file": "keys/s"}
    repository.commit("old", {FILE: {**_STACK, "secrets": {"k": {"env": "K"}, "s": file}}})
    repository.commit("new", {FILE: {**_STACK, "secrets": {"k": {"command": ["pass", "other"]}, "s": file}}})
    plan = repository.plan(FILE)

    key = ("${secret:k} (env K)", '${secret:k} (command ["pass", "other"])')
    assert _told(plan, "bf") == [("config.api_key", *key)]
    assert {step.unit: step.process for step in plan.steps if step.process is Process.RESTARTS} == {
        "bf": Process.RESTARTS,
        "mm": Process.RESTARTS,
    }
    assert next(step for step in plan.steps if step.unit == "bf").cancels
    assert _told(plan) == [
        ("secrets.k.env", '"K"', None),
        ("secrets.k.command", None, '["pass", "other"]'),
    ]


def test_what_is_required_and_what_is_ignored_is_told_as_it_is_written(repository: _Repository) -> None:
    repository.commit("old", {FILE: {**_STACK, "require": {"git_clean": True, "branch": "main"}}})
    repository.commit("new", {FILE: _changed("bots/mm", "ignore", {"shared-core": "it may wait"})})
    plan = repository.plan(FILE)

    assert _told(plan) == [
        ("require.git_clean", "true", None),
        ("require.branch", '"main"', None),
        ("bots.mm.ignore.shared-core", None, '"it may wait"'),
    ]
    assert {step.process for step in plan.steps} == {Process.RUNS, Process.NONE}


def test_what_an_external_connector_is_configured_with_is_compared_and_not_shown(repository: _Repository) -> None:
    repository.commit("old", {FILE: _STACK})
    repository.commit("new", {FILE: _changed("connectors/own", "config", {"speed": 4711})})
    [(field, old, new)] = _told(repository.plan(FILE))

    assert field == "connectors.own.config"
    assert old != new
    assert "4711" not in f"{old}{new}"


_PREFIX: Final = "[global]\nprefix = '{}'\n"


def test_where_channels_are_is_read_from_the_revisions(repository: _Repository) -> None:
    repository.commit("old", {FILE: _STACK, ICEORYX2: _PREFIX.format("a_")})
    repository.commit("new", {ICEORYX2: _PREFIX.format("b_")})
    (repository.folder / ICEORYX2).write_text("of this disk, and no TOML")

    plan = repository.plan(FILE)
    assert _told(plan, "bf") == [("channel.prefix", '"a_"', '"b_"')]
    assert _told(plan, "own") == [("channel.prefix", '"a_"', '"b_"')]


def test_a_config_of_iceoryx2_that_cannot_be_used_is_told_with_its_revision(repository: _Repository) -> None:
    repository.commit("old", {FILE: _STACK})
    repository.commit("new", {ICEORYX2: "[global"})

    with pytest.raises(ChannelConfigError, match="not valid TOML") as caught:
        repository.plan(FILE)
    assert caught.value.where == f"new:{repository.folder}/config/iceoryx2.toml"


def test_other_code_and_another_program_of_the_repository_are_told(repository: _Repository) -> None:
    bots = {
        "mm": {"command": ["sh", "bots/mm.sh"]},
        "own": {"command": ["./own"]},
        "data": {"command": ["x", "a.json"]},
    }
    stack = {"version": 1, "network": "local", "bots": bots}
    repository.commit("old", {FILE: stack, "bots/mm.sh": "1", "own": "1", "a.json": "{}"})
    repository.commit("new", {"bots/mm.sh": "2", "own": "2", "a.json": "[]"})
    (repository.folder / "bots/mm.sh").write_text("3")
    plan = repository.plan(FILE)

    old, new = (hashlib.sha256(text).hexdigest()[:8] for text in (b"1", b"2"))
    assert _told(plan, "mm") == [("code.bots/mm.sh", old, new)]
    assert _told(plan, "own") == [("executable", old, new)]
    assert [step.process for step in plan.steps] == [Process.RESTARTS, Process.RESTARTS, Process.RUNS]
