from __future__ import annotations

import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator import resolve, venue
from orchestrator.build import CONNECTOR
from orchestrator.deployment import codec
from orchestrator.errors import RefusedError, StackError
from orchestrator.resolve import ResolveError
from orchestrator.resolve.configs import Configs
from orchestrator.resolve.scope import Scope
from orchestrator.resolve.vault import Vault

if TYPE_CHECKING:
    from orchestrator.deployment.model import Deployment
    from tests.resolve.conftest import Desk

SEED = "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
PEM = f"-----BEGIN PRIVATE KEY-----\n{SEED}\n-----END PRIVATE KEY-----\n"
ODD = "q\"uo'te\\ \t$${secret:key} é\x1b"

SIM = """
version: 1
network: local
secrets:
  key: {env: BINANCE_KEY}
  odd: {file: odd}
  seen: {command: [sh, -c, "echo called >>called; echo seen-value"]}
  nobody: {env: NOT_SET}
connectors:
  one: {type: sim, config: {symbols: ["a-${secret:key}-${secret:odd}", "${secret:seen}"]}}
  two: {type: sim, config: two.toml}
  three: {type: sim, config: {symbols: ["$${secret:key}"]}}
  out: {type: sim, external: true, config: {symbols: ["${secret:nobody}"]}}
bots:
  mm: {type: sim, depends_on: [one], config: {symbols: ["${secret:seen}"]}}
"""


@pytest.fixture
def sim(desk: Desk) -> Desk:
    desk.write("odd", f"{ODD}\n", 0o600)
    desk.write("two.toml", '# not "${secret:nobody}"\nsymbols = ["${secret:key}", "${KEY} $${secret:odd}"]\n')
    desk.write("desk.yaml", SIM)
    return desk


def _resolved(
    desk: Desk,
    *,
    stand_ins: dict[str, str] | None = None,
    only: tuple[str, ...] | None = None,
    deployed: Deployment | None = None,
) -> Deployment:
    stack = venue.load(desk.folder / "desk.yaml", desk.environ)
    configs = Configs(desk.home.configs)
    built = desk.built(CONNECTOR)
    deployment = resolve.resolve(
        stack,
        home=desk.home,
        binaries=built,
        environ=desk.environ,
        configs=configs,
        stand_ins=stand_ins,
        scope=None if only is None else Scope.of(stack, only, deployed),
    )
    configs.write()
    return deployment


def _symbols(deployment: Deployment, name: str) -> list[str]:
    (file,) = deployment.unit(name).files
    symbols: list[str] = tomllib.loads(Path(file.path).read_text(encoding="utf-8"))["symbols"]
    return symbols


def test_a_config_holds_what_its_references_refer_to_however_odd(sim: Desk) -> None:
    deployment = _resolved(sim)

    assert _symbols(deployment, "one") == [f"a-hush-{ODD}", "seen-value"]
    assert _symbols(deployment, "two") == ["hush", f"${{KEY}} ${ODD}"]
    assert _symbols(deployment, "three") == ["${secret:key}"]
    assert _symbols(deployment, "mm") == ["seen-value"]
    assert Path(deployment.unit("one").files[0].path).stat().st_mode & 0o777 == 0o600


def test_each_secret_is_read_once_and_one_that_nothing_starts_with_never(sim: Desk) -> None:
    deployment = _resolved(sim)

    assert (sim.folder / "called").read_text() == "called\n"
    assert deployment.unit("out").files == ()


def test_nothing_but_the_config_itself_tells_of_a_secret(sim: Desk) -> None:
    deployment = _resolved(sim)
    text = codec.encode(deployment)
    (two,) = deployment.unit("two").files
    content = Path(two.path).read_bytes()

    for secret in ("hush", "seen-value", json.dumps(ODD)[1:-1]):
        assert secret not in text
    assert two.path.endswith(f"two-{two.sha256[:16]}.toml")
    for guess in (content, b"hush"):
        assert hashlib.sha256(guess).hexdigest() not in text
        assert hashlib.sha256(guess).hexdigest()[:8] not in text
    assert (sim.home.home.state / ".digest.key").stat().st_mode & 0o777 == 0o600


def test_the_digest_is_of_this_home_and_changes_with_the_secret(sim: Desk) -> None:
    first, second = _resolved(sim), _resolved(sim)
    object.__setattr__(sim, "environ", {**sim.environ, "BINANCE_KEY": "other"})
    third = _resolved(sim)
    (sim.home.home.state / ".digest.key").unlink()
    fourth = _resolved(sim)

    assert first == second
    digests = [deployment.unit("two").files[0].sha256 for deployment in (first, third, fourth)]
    assert len(set(digests)) == 3
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests)
    assert [first.unit("three"), first.unit("mm").name] == [fourth.unit("three"), "mm"]


def test_a_damaged_key_of_the_home_is_told_and_not_replaced(sim: Desk) -> None:
    (sim.home.home.state / ".digest.key").write_bytes(b"short")

    with pytest.raises(RefusedError, match="5 bytes, not 32") as caught:
        _resolved(sim)
    assert caught.value.hint
    assert (sim.home.home.state / ".digest.key").read_bytes() == b"short"


def test_a_unit_whose_config_holds_a_secret_leaves_no_core_unless_asked_to(sim: Desk) -> None:
    sim.write("desk.yaml", SIM.replace("config: two.toml", "config: two.toml, resources: {limits: {core: 5}}"))
    deployment = _resolved(sim)

    assert deployment.unit("one").resources.limits == (("core", 0),)
    assert deployment.unit("two").resources.limits == (("core", 5),)
    assert deployment.unit("three").resources.limits == ()


def test_what_stands_for_secrets_is_in_configs_instead_of_them_and_nothing_is_read(sim: Desk) -> None:
    deployment = _resolved(sim, stand_ins={"key": "A", "odd": "${secret:odd}", "seen": "(file x)"})

    assert _symbols(deployment, "one") == ["a-A-${secret:odd}", "(file x)"]
    assert deployment.unit("one").resources.limits == (("core", 0),)
    assert not (sim.folder / "called").exists()
    assert not (sim.home.home.state / ".digest.key").exists()


def test_all_secrets_that_cannot_be_had_are_told_at_once_with_their_places(sim: Desk) -> None:
    sim.write("odd", ODD, 0o644)
    sim.write("desk.yaml", SIM.replace("echo seen-value", "echo seen-value; echo seen-value"))
    with pytest.raises(ResolveError) as caught:
        _resolved(sim)
    said = str(caught.value)

    assert f"{sim.folder}/desk.yaml:6:3: the secret odd: {sim.folder}/odd is open to others" in said
    assert f"{sim.folder}/desk.yaml:7:3: the secret seen: " in said
    assert "gives 2 lines, not one" in said
    assert "seen-value" not in said
    assert ODD not in said
    assert caught.value.exit_code == 3


def test_the_secrets_of_units_that_are_not_brought_in_are_not_read(sim: Desk) -> None:
    object.__setattr__(sim, "environ", {key: value for key, value in sim.environ.items() if key != "BINANCE_KEY"})
    deployment = _resolved(sim, only=("three",))

    assert not (sim.folder / "called").exists()
    assert _symbols(deployment, "three") == ["${secret:key}"]
    for name in ("one", "two", "mm"):
        (file,) = deployment.unit(name).files
        assert (file.sha256, Path(file.path).name, Path(file.path).exists()) == ("unread", f"{name}-unread.toml", False)


def test_those_of_what_they_need_are_read_too(sim: Desk) -> None:
    deployment = _resolved(sim, only=("mm",))

    assert _symbols(deployment, "one") == [f"a-hush-{ODD}", "seen-value"]
    assert [name for name in ("one", "two", "three", "mm") if deployment.unit(name).files[0].sha256 == "unread"] == [
        "two"
    ]


def test_a_unit_that_is_not_brought_in_is_as_it_is_deployed_unless_its_config_says_something_else(sim: Desk) -> None:
    deployed = _resolved(sim)
    object.__setattr__(sim, "environ", {key: value for key, value in sim.environ.items() if key != "BINANCE_KEY"})

    assert _resolved(sim, only=("three",), deployed=deployed).units == deployed.units
    sim.write("two.toml", 'symbols = ["${secret:key}", "ethusdt"]\n')
    changed = _resolved(sim, only=("three",), deployed=deployed)
    assert changed.unit("one") == deployed.unit("one")
    assert changed.unit("two").files[0].sha256 == "unread"
    Path(deployed.unit("one").files[0].path).unlink()
    assert _resolved(sim, only=("three",), deployed=deployed).unit("one").files[0].sha256 == "unread"


def test_a_secret_in_a_table_within_a_file_is_filled_in_and_stays_as_it_is_deployed(sim: Desk) -> None:
    sim.write("two.toml", '[faults]\narm_file = "/x/${secret:key}"\n')
    deployed = _resolved(sim)
    (file,) = deployed.unit("two").files
    object.__setattr__(sim, "environ", {key: value for key, value in sim.environ.items() if key != "BINANCE_KEY"})

    assert tomllib.loads(Path(file.path).read_text(encoding="utf-8")) == {"faults": {"arm_file": "/x/hush"}}
    assert _resolved(sim, only=("three",), deployed=deployed).unit("two") == deployed.unit("two")


SPOT = """
version: 1
network: testnet
secrets: {key: {env: KEY}, pem: {file: pem}, other: {env: OTHER}}
connectors:
  sp:
    type: binancespot
    config:
      stream_url: wss://stream.testnet.binance.vision/ws
      api_url: https://testnet.binance.vision
      ws_api_url: wss://ws-api.testnet.binance.vision/ws-api/v3
      order_prefix: a
      api_key: ${secret:key}
      secret: ${secret:pem}
  st: {type: binancespot, config: st.toml}
"""
ST = """
stream_url = "wss://stream.testnet.binance.vision/ws"
api_url = "https://testnet.binance.vision"
ws_api_url = "wss://ws-api.testnet.binance.vision/ws-api/v3"
order_prefix = "ab"
api_key = "${secret:other}"
secret = "${secret:pem}"
"""


def _spot(desk: Desk, **environ: str) -> Deployment:
    desk.write("desk.yaml", SPOT)
    desk.write("st.toml", ST)
    object.__setattr__(desk, "environ", {**desk.environ, "KEY": "spot-key", "OTHER": "spot-other", **environ})
    return _resolved(desk)


def test_a_private_key_arrives_with_its_line_ends(desk: Desk) -> None:
    desk.write("pem", PEM, 0o600)
    (file,) = _spot(desk).unit("st").files

    assert tomllib.loads(Path(file.path).read_text())["secret"] == PEM


@pytest.mark.parametrize(
    ("pem", "environ", "told"),
    [
        (
            "hmac-secret\n",
            {},
            [
                "desk.yaml:14:15: /connectors/sp/config/secret [secret-kind]",
                "st.toml:7:10: /secret [secret-kind]",
            ],
        ),
        (PEM, {"KEY": "spot key"}, ["desk.yaml:13:16: /connectors/sp/config/api_key [key-text]"]),
        (PEM, {"OTHER": "spot-key"}, ["st.toml:5:16: /order_prefix [shared-prefix]"]),
    ],
)
def test_what_is_filled_in_is_judged_by_the_rules_of_the_file_at_its_places(
    desk: Desk, pem: str, environ: dict[str, str], told: list[str]
) -> None:
    desk.write("pem", pem, 0o600)
    with pytest.raises(StackError) as caught:
        _spot(desk, **environ)

    found = caught.value.diagnostics
    assert [f"{Path(d.file).name}:{d.line}:{d.column}: {d.pointer} [{d.rule}]" for d in found] == told
    assert "hmac-secret" not in str(caught.value)
    assert "spot" not in "".join(d.message for d in found).replace("binancespot", "")
    assert list(desk.home.configs.iterdir()) == []


def test_what_is_filled_in_is_judged_beside_what_the_others_are_deployed_with(desk: Desk) -> None:
    desk.write("pem", PEM, 0o600)
    deployed = _spot(desk)
    environ = {key: value for key, value in desk.environ.items() if key != "KEY"} | {"OTHER": "spot-key"}
    object.__setattr__(desk, "environ", environ)

    with pytest.raises(StackError) as caught:
        _resolved(desk, only=("st",), deployed=deployed)
    assert [(Path(d.file).name, d.rule) for d in caught.value.diagnostics] == [("st.toml", "shared-prefix")]

    desk.write("desk.yaml", SPOT.replace("type: binancespot\n", "type: other-spot\n", 1))
    desk.write("st.toml", ST.replace('"ab"', '"b"'))
    assert _resolved(desk, only=("st",), deployed=deployed).unit("sp").files[0].sha256 == "unread"


def test_the_command_of_one_secret_does_not_see_the_variables_of_others(desk: Desk) -> None:
    desk.write(
        "desk.yaml",
        """
version: 1
network: local
secrets:
  key: {env: KEY}
  seen: {command: [sh, -c, 'echo "$${KEY-hidden} $$OTHER"']}
connectors:
  bf: {type: sim, config: {symbols: ["${secret:seen}", "${secret:key}"]}}
""",
    )
    stack = venue.load(desk.folder / "desk.yaml", desk.environ)
    vault = Vault(stack, {**desk.environ, "KEY": "of-another", "OTHER": "is seen"}, desk.home.home)

    (rendered,) = vault.rendered()[0].values()

    assert tomllib.loads(rendered.decode())["symbols"] == ["hidden is seen", "of-another"]


def test_what_cargo_runs_does_not_see_the_variables_of_secrets(desk: Desk) -> None:
    desk.write("pem", PEM, 0o600)
    desk.write("desk.yaml", SPOT)
    desk.write("st.toml", ST)
    request = resolve.build_request(venue.load(desk.folder / "desk.yaml", desk.environ), home=desk.home)

    assert request is not None
    assert request.visible({"KEY": "spot-key", "OTHER": "spot-other", "PATH": "/bin"}) == {"PATH": "/bin"}
