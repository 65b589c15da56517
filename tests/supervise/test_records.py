from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator import files
from orchestrator.deployment import codec
from orchestrator.deployment.model import FORMAT, Deployment, Kind, Level, Logs
from orchestrator.errors import HftstackError, RefusedError
from orchestrator.supervise import records
from orchestrator.supervise.records import Intent, Intents, Spent, UnitIntent, UnitRecord, Units
from orchestrator.supervise.stopping import After, Stopping
from tests.supervise.specs import bot, connector

if TYPE_CHECKING:
    from collections.abc import Callable

_DEPLOYMENT = Deployment("s", "/s.yaml", "local", (connector("bf"), bot("mm", "bf")))
_RECORD = UnitRecord(17, 99, "0/a/s/bf/t/17", "/log", Kind.CONNECTOR, 5.0, ("base",))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    files.replace_file(path, records.seal(_DEPLOYMENT), durable=True)
    assert records.read_deployment(path) == _DEPLOYMENT
    intents = Intents({"bf": UnitIntent(Intent.FAILED, "exit 3"), "mm": UnitIntent(Intent.UP)})
    files.replace_file(path, records.seal(intents), durable=True)
    assert records.read_intents(path) == intents
    files.replace_file(path, codec.encode(Units("boot", {"bf": _RECORD})), durable=False)
    assert records.read_units(path, "boot").units == {"bf": _RECORD}
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_what_does_not_exist_is_nothing(tmp_path: Path) -> None:
    assert records.read_deployment(tmp_path / "none") is None
    assert records.read_intents(tmp_path / "none") == Intents()
    assert records.read_units(tmp_path / "none", "boot").units == {}


def test_processes_of_another_boot_are_nobodys(tmp_path: Path) -> None:
    path = tmp_path / "units.json"
    files.replace_file(path, codec.encode(Units("another", {"bf": _RECORD})), durable=False)
    assert records.read_units(path, "boot").units == {}


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": 1}', "\xff", "[" * 100_000])
def test_a_damaged_record_is_refused_by_name_and_a_damaged_list_of_processes_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(RefusedError, match="damaged") as caught:
        records.read_deployment(path)
    assert caught.value.where == str(path)
    if text != '{"format": 1}':
        with pytest.raises(RefusedError, match="damaged"):
            records.read_intents(path)
    assert records.read_units(path, "boot").units == {}


def test_every_truncation_of_a_deployment_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    whole = records.seal(_DEPLOYMENT)
    for length in range(0, len(whole), 7):
        path.write_text(whole[:length])
        with pytest.raises(RefusedError):
            records.read_deployment(path)


def test_what_a_newer_hftstack_wrote_is_refused_as_such(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text(json.dumps({"format": 99, "anything": True}))
    for read in (records.read_deployment, records.read_intents):
        with pytest.raises(RefusedError, match="newer hftstack"):
            read(path)
    assert records.read_units(path, "boot").units == {}


_KNOWN = Path(__file__).parents[1] / "fixtures/records"


def test_what_an_older_hftstack_wrote_is_migrated(tmp_path: Path) -> None:
    deployment = records.read_deployment(_KNOWN / "deployment-1.json")
    assert deployment is not None
    bf, mm = deployment.units
    assert (deployment.format, bf.name, bf.restart.max_age, bf.resources.cpus) == (FORMAT, "bf", 82800.0, (2,))
    assert (mm.depends_on[0].condition, mm.logs) == (Level.FRESH, Logs())
    second = records.read_deployment(_KNOWN / "deployment-2.json")
    assert second is not None
    assert (second.format, [unit.code for unit in second.units]) == (FORMAT, [None, None])
    intents = records.read_intents(_KNOWN / "intent-1.json")
    assert intents.units == {"bf": UnitIntent(Intent.FAILED, "exit 3"), "mm": UnitIntent(Intent.STOPPED)}
    path = tmp_path / "file.json"
    files.replace_file(path, records.seal(deployment), durable=True)
    assert records.read_deployment(path) == deployment
    files.replace_file(path, records.seal(intents), durable=True)
    assert records.read_intents(path) == intents


def test_the_processes_that_an_older_hftstack_recorded_are_known_and_those_of_a_newer_one_are_not(
    tmp_path: Path,
) -> None:
    path = tmp_path / "units.json"
    whole = Units("boot", {"bf": _RECORD}, {"bf": 3}, {"bf": Spent(1, (2.5,))})
    written = codec.plain(whole)
    path.write_text(json.dumps(written))
    assert records.read_units(path, "boot") == whole
    path.write_text(json.dumps({key: written[key] for key in ("boot", "units", "restarts")} | {"format": 2}))
    assert records.read_units(path, "boot") == Units("boot", {"bf": _RECORD}, {"bf": 3})
    stopping = Stopping(After.WAITING, "changed", 5.0, begun=7.0)
    stops = codec.plain(Units("boot", {"bf": replace(_RECORD, stopping=stopping)}))
    path.write_text(json.dumps({key: stops[key] for key in ("boot", "units", "restarts")} | {"format": 2}))
    assert records.read_units(path, "boot").units["bf"].told  # it was said so before the signal
    path.write_text(json.dumps({key: written[key] for key in ("boot", "units")} | {"format": 1}))
    assert records.read_units(path, "boot") == Units("boot", {"bf": _RECORD})
    path.write_text(json.dumps(written | {"format": 4}))
    assert records.read_units(path, "boot") == Units("boot")


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace("local", "mainnet"),
        lambda text: text.replace('"grace":5.0', '"grace":0.0'),
        lambda text: json.dumps(json.loads(text), indent=2),
        lambda text: json.dumps({key: value for key, value in json.loads(text).items() if key != "sealed"}),
        lambda text: text.replace('"sealed":"', '"sealed":"0'),
    ],
)
def test_what_somebody_has_edited_is_named_and_not_acted_upon(tmp_path: Path, edit: Callable[[str], str]) -> None:
    path = tmp_path / "file.json"
    path.write_text(edit(records.seal(_DEPLOYMENT)))
    with pytest.raises(RefusedError, match="somebody has edited it") as caught:
        records.read_deployment(path)
    assert (caught.value.where, "not acted upon" in (caught.value.hint or "")) == (str(path), True)


def test_intents_that_somebody_has_edited_are_named(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text(records.seal(Intents({"mm": UnitIntent(Intent.STOPPED)})).replace("stopped", "up"))
    with pytest.raises(RefusedError, match="somebody has edited it"):
        records.read_intents(path)


def test_what_is_overwritten_holds_the_last_text_and_grows_only_when_it_must(tmp_path: Path) -> None:
    path = tmp_path / "units.json"
    inodes = []
    for count in (1, 3, 0, 60, 1, 60):
        units = {f"unit-ä{number}": _RECORD for number in range(count)}
        files.overwrite_file(path, codec.encode(Units("boot", units)))
        assert records.read_units(path, "boot").units == units
        assert path.stat().st_mode & 0o777 == 0o600
        inodes.append(path.stat().st_ino)
    assert len(set(inodes[:3])) == len(set(inodes[3:])) == 1
    assert inodes[2] != inodes[3]
    assert list(tmp_path.iterdir()) == [path]


def test_a_text_that_was_torn_is_no_record(tmp_path: Path) -> None:
    path = tmp_path / "units.json"
    files.overwrite_file(path, codec.encode(Units("boot", {"bf": _RECORD})))
    path.write_bytes(path.read_bytes()[:100].ljust(4096))
    assert records.read_units(path, "boot").units == {}


@pytest.mark.parametrize("read", [records.read_deployment, records.read_intents])
def test_a_record_that_cannot_be_read_now_is_not_refused_for_good(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    (tmp_path / "record").mkdir()
    with pytest.raises(HftstackError, match="cannot read it") as caught:
        read(tmp_path / "record")
    assert caught.value.exit_code == 1
